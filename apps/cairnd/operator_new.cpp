// operator new and delete of cairnd: malloc, with a cache in front of it for large blocks. The
// other forms (arrays, sized, nothrow) are the standard library's, which come here; those for more
// than the usual alignment stay with malloc altogether. Left out under sanitizers, which bring
// their own.

#include "apps/large_block_cache.hpp"

#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

constinit cairn::apps::large_block_cache large_blocks;

void* allocate(std::size_t bytes) {
  using cairn::apps::large_block_cache;
  if (bytes < large_block_cache::k_block_bytes_min) return std::malloc(bytes == 0 ? 1 : bytes);
  if (void* const kept = large_blocks.take(bytes)) return kept;
  return std::malloc(large_block_cache::rounded(bytes));
}

}  // namespace

void* operator new(std::size_t bytes) {
  for (;;) {
    if (void* const block = allocate(bytes)) return block;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void operator delete(void* block) noexcept {
  // malloc knows the size by itself; it stands where free() looks, too.
  if (block == nullptr || large_blocks.keep(block, malloc_usable_size(block))) return;
  std::free(block);
}

void operator delete(void* block, std::size_t) noexcept {
  operator delete(block);
}
