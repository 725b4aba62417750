/* Lines, words and bytes of a text, as GNU wc counts them, and its names for the top list. */
#ifndef WORDCOUNT_COUNT_H
#define WORDCOUNT_COUNT_H

#include "table.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct counts {
    int64_t lines, words, bytes;
    bool    joins; /* a word goes on from before the text, if there was one: it begins without white space */
    bool    open;  /* the text ends inside a word, so the next text may go on with it */
    bool    blank; /* neither white space nor a word: what is before it goes on after it */
};

/* Counts all of a file; names of at least three letters go into the table. False: it couldn't be read to its end. */
bool count_file(FILE *file, struct counts *out, struct table *names);

#endif
