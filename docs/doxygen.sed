# What Doxygen reads: every structure's own size gets its sentence.
s|^\( *\)YOKE_SIZED_([a-z_]*);|\1size_t struct_size; /**< Its sizeof, so that fields can be added later. */|
s|^\( *size_t  *struct_size;\)$|\1 /**< Its sizeof, so that fields can be added later. */|
