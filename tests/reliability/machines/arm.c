/* Runs recorded calls of kernels: reads them from a file, writes the bytes of all arrays after each call to another. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef int64_t (*step)(void *words, int64_t first, int64_t last);
extern const step kernels[];

enum { NUMBER, ARRAY, LIST };

static FILE *in, *out;

static int64_t next(void) {
    int64_t value;
    if (fread(&value, 8, 1, in) != 1) exit(3);
    return value;
}

int main(int count, char **names) {
    if (count != 3 || !(in = fopen(names[1], "rb")) || !(out = fopen(names[2], "wb"))) return 2;
    for (int64_t calls = next(); calls > 0; calls--) {
        int64_t kernel = next(), units = next(), arrays = next();
        void **data = malloc(8 * (arrays + 1));
        int64_t *sizes = malloc(8 * (arrays + 1));
        for (int64_t i = 0; i < arrays; i++) {
            sizes[i] = next();
            data[i] = aligned_alloc(64, (sizes[i] + 127) / 64 * 64);
            if (sizes[i] && fread(data[i], sizes[i], 1, in) != 1) return 3;
        }
        int64_t words[256], number = next();
        for (int64_t i = 0; i < number; i++) {
            int64_t kind = next(), value = next();
            if (kind == NUMBER) words[i] = value;
            if (kind == ARRAY) words[i] = (int64_t)data[value];
            if (kind == LIST) {
                void **list = malloc(8 * (value + 1));
                for (int64_t k = 0; k < value; k++) list[k] = data[next()];
                words[i] = (int64_t)list;
            }
        }
        int64_t answer = kernels[kernel](words, 0, units);
        fwrite(&answer, 8, 1, out);
        for (int64_t i = 0; i < arrays; i++) fwrite(data[i], 1, sizes[i], out);
    }
    return fclose(out) != 0;
}
