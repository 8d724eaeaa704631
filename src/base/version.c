/* version.c: the version of the library that is loaded. */
#include <imgret/imgret.h>

/* Vectors, codes and segments lie in files as they lie in memory. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "libimgret is for little-endian machines: its files hold vectors as memory has them"
#endif

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

uint32_t imgret_version(void)
{
    return IMGRET_VERSION;
}

const char *imgret_version_string(void)
{
    return TEXT(IMGRET_VERSION_MAJOR) "." TEXT(IMGRET_VERSION_MINOR) "." TEXT(IMGRET_VERSION_PATCH);
}
