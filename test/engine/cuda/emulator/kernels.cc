#include "kernels.h"

#include <dlfcn.h>
#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace emulated {
namespace {

/** The default limit of dynamic shared memory: more must be asked for. */
constexpr int PLAIN_SHARED_BYTES = 48 << 10;

/** The driver is told where an image starts, not where it ends: its headers say it. 0 for what is no ELF file. */
std::size_t imageBytes(const void* image) {
  Elf64_Ehdr header;
  std::memcpy(&header, image, sizeof(header));
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64) return 0;
  const auto* start = static_cast<const char*>(image);
  std::size_t end = header.e_shoff + std::size_t(header.e_shnum) * header.e_shentsize;
  for (int i = 0; i < header.e_shnum; i++) {
    Elf64_Shdr section;
    std::memcpy(&section, start + header.e_shoff + std::size_t(i) * header.e_shentsize, sizeof(section));
    if (section.sh_type != SHT_NOBITS) end = std::max<std::size_t>(end, section.sh_offset + section.sh_size);
  }
  return end;
}

}  // namespace

std::unique_ptr<LoadedModule> loadModule(const void* image, std::string& reason) {
  const std::size_t bytes = imageBytes(image);
  if (bytes == 0) {
    reason = "not an ELF file";
    return nullptr;
  }
  const char* folder = std::getenv("TMPDIR");
  std::string path = std::string(folder == nullptr || *folder == 0 ? "/tmp" : folder) + "/tokenfuse-emulated-XXXXXX";
  const int file = mkstemp(path.data());
  if (file < 0) {
    reason = "no temporary file";
    return nullptr;
  }
  std::size_t written = 0;
  while (written < bytes) {
    const ssize_t count = write(file, static_cast<const char*>(image) + written, bytes - written);
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  close(file);
  auto loaded = std::make_unique<LoadedModule>();
  if (written == bytes) loaded->library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  unlink(path.c_str());
  if (loaded->library == nullptr) {
    const char* why = dlerror();
    reason = why == nullptr ? "it could not be written" : why;
    return nullptr;
  }
  for (int part = 0; part < PARTS; part++) {
    const std::string name = "emulatedModule" + std::to_string(part);
    const auto describe = reinterpret_cast<const Module* (*)()>(dlsym(loaded->library, name.c_str()));
    if (describe == nullptr || describe()->version != INTERFACE_VERSION) {
      reason = "compiled for another emulator";
      dlclose(loaded->library);
      return nullptr;
    }
    const Module* module = describe();
    for (int i = 0; i < module->kernelCount; i++) {
      loaded->functions.push_back(std::make_unique<Function>(Function{module, &module->kernels[i], PLAIN_SHARED_BYTES}));
    }
  }
  return loaded;
}

Function* findFunction(const LoadedModule& module, const char* name) {
  for (const auto& function : module.functions) {
    if (std::strcmp(function->kernel->name, name) == 0) return function.get();
  }
  return nullptr;
}

int countParameters(const Kernel& kernel) {
  int count = 0;
  while (kernel.sizes[count] != 0) count++;
  return count;
}

}  // namespace emulated
