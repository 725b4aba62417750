/* Another build of placed.c. */
int placed(void);
int changed(void);

int changed(void)
{
    return 6;
}

int placed(void)
{
    return changed() * 7;
}
