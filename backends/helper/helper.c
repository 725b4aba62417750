/*
 * The executable that runs children of programs whose main() is not theirs: plugins, language bindings. It has no
 * functions of its own to run; a child loads the shared library in which its function lies (yoke_set_executable()).
 */
#include <stdio.h>
#include <yoke/yoke.h>

int main(int argc, char **argv)
{
    yoke_main(argc, argv); /* a child, or a forkserver, stays in there */
    fprintf(stderr,
            "%s is started by programs that use yoke, to run functions of shared libraries in processes of their own.\n"
            "Name it to yoke_set_executable(); there is nothing to do for it otherwise.\n",
            argc > 0 ? argv[0] : "yoke-helper");
    return 2;
}
