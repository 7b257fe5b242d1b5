// SPDX-License-Identifier: Apache-2.0
// What libraries do by default, and a server under load does not want.

#pragma once

#include <cstddef>

namespace octet {

// First in main, before any other thread: `num_threads` is how many will be busy at once.
//
// - glibc's allocator gives a large block back to the system when it is freed, and pays for fresh
//   pages with the next request of that size: here, up to 32 MiB stay with the process. It makes up
//   to eight arenas for each CPU, between which memory wanders: here, one for each busy thread.
//   What a model leaves behind when it is unloaded is given back all the same (RepositoryLoader).
// - Abseil's mutexes, which gRPC locks a dozen times a call, look for deadlocks where the
//   distribution's library was built with assertions, as Debian's is: here, they do not.
void SetLibraryDefaults(std::size_t num_threads);

}  // namespace octet
