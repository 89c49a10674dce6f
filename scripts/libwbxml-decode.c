/* Decodes a message so many times with libwbxml, for `bench-instructions.sh`:
   libwbxml-decode TIMES wbxml|xml FILE. The functions are declared here, so that only the library
   itself must be installed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int wbxml_tree_from_wbxml(unsigned char *text, unsigned length, int language, int charset, void **tree);
int wbxml_tree_from_xml(unsigned char *text, unsigned length, void **tree);
void wbxml_tree_destroy(void *tree);

int main(int count, char **words)
{
    static unsigned char text[1 << 20];
    if (count != 4)
        return 2;
    FILE *file = fopen(words[3], "rb");
    if (!file)
        return 2;
    unsigned length = fread(text, 1, sizeof text, file);
    int is_xml = strcmp(words[2], "xml") == 0;
    for (long times = atol(words[1]); times > 0; times--) {
        void *tree = NULL;
        int failed = is_xml ? wbxml_tree_from_xml(text, length, &tree)
                            : wbxml_tree_from_wbxml(text, length, 0, 0, &tree);
        if (failed || !tree) {
            fprintf(stderr, "libwbxml cannot read %s: %d\n", words[3], failed);
            return 1;
        }
        wbxml_tree_destroy(tree);
    }
    return 0;
}
