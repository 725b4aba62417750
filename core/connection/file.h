/* Open files and sockets as handles: the native stands in the handle itself. */
#ifndef YOKE_CORE_CONNECTION_FILE_H
#define YOKE_CORE_CONNECTION_FILE_H

#include "../domain/object.h"

#include <yoke/file.h>

#endif
