/* A function in a shared library, for tests of where code lies. */
int placed(void);

int placed(void)
{
    return 41;
}
