/*
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4 has the test vectors): the checksum of
 * TFRecord files.
 */
#ifndef CAGSR_EVENT_CRC32C_H
#define CAGSR_EVENT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of n bytes behind those that gave crc; 0 begins. */
uint32_t crc32c(uint32_t crc, const void *data, size_t n);

/* As TFRecord stores it: a checksum of bytes that hold checksums would be weak. */
uint32_t crc32c_masked(const void *data, size_t n);

#endif
