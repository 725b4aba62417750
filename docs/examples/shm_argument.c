/*
 * A segment without a name, passed to four children as an argument; each fills its quarter of a picture. It has no name
 * that could be left behind: it is gone with its last user, even if all are killed.
 */
#include <stdio.h>
#include <yoke/yoke.h>

#define WIDTH  320
#define HEIGHT 200

static int paint(const yoke_args *args)
{
    unsigned char *pixels = yoke_shm_data(yoke_args_shm(args, 0));
    int            first = yoke_args_int(args, 1), rows = yoke_args_int(args, 2);

    for (int y = first; y < first + rows; y++)
        for (int x = 0; x < WIDTH; x++)
            pixels[y * WIDTH + x] = (unsigned char)(x ^ y);
    return 0;
}

int main(int argc, char **argv)
{
    yoke_shm            *picture;
    yoke_process        *painters[4];
    const unsigned char *pixels;
    unsigned long        sum = 0;

    yoke_main(argc, argv);
    YOKE_CHECK(yoke_shm_create(&picture, WIDTH * HEIGHT, NULL));
    for (int i = 0; i < 4; i++)
        YOKE_CHECK(yoke_process_start(&painters[i], paint, YOKE_ARGS(picture, i * HEIGHT / 4, HEIGHT / 4), NULL));
    for (int i = 0; i < 4; i++)
        YOKE_CHECK(yoke_process_finish(painters[i], NULL, YOKE_FOREVER));

    pixels = yoke_shm_data(picture);
    for (size_t i = 0; i < yoke_shm_size(picture); i++)
        sum = sum * 31 + pixels[i];
    printf("%zu pixels, checksum %08lx\n", yoke_shm_size(picture), sum & 0xffffffffu);
    yoke_shm_close(picture);
    return 0;
}
