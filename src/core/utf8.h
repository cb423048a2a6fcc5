/* Well-formed UTF-8 (RFC 3629). */
#ifndef SPN_CORE_UTF8_H
#define SPN_CORE_UTF8_H

/* Bytes of the character at text (zero-terminated), 1 to 4; 0 when there is none: not UTF-8, longer than needed, half
 * of a surrogate pair, past U+10FFFF. */
int spn_utf8_length(const char *text);

#endif
