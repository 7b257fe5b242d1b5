// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu_features.h"

#include <array>
#include <cpuid.h>
#include <cstdint>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace octet::kernels {
namespace {

struct Registers {
  std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers CpuId(std::uint32_t leaf, std::uint32_t subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

// Which register states the operating system saves.
std::uint64_t ExtendedControlRegister() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

bool HasBit(std::uint32_t value, int bit) { return ((value >> bit) & 1U) != 0; }

}  // namespace

CpuFeatures DetectCpuFeatures() {
  CpuFeatures features;
  const Registers leaf1 = CpuId(1, 0);
  const bool has_xgetbv = HasBit(leaf1.ecx, 27);
  if (!has_xgetbv) return features;
  const std::uint64_t states = ExtendedControlRegister();
  const bool saves_ymm = (states & 0x6U) == 0x6U;
  const bool saves_zmm = (states & 0xE6U) == 0xE6U;
  const bool saves_tiles = (states & 0x60000U) == 0x60000U;

  const Registers leaf7 = CpuId(7, 0);
  const Registers leaf7_1 = CpuId(7, 1);
  const bool has_fma = HasBit(leaf1.ecx, 12);
  const bool has_f16c = HasBit(leaf1.ecx, 29);
  features.avx2 = saves_ymm && has_fma && has_f16c && HasBit(leaf7.ebx, 5);
  features.avx_vnni = features.avx2 && HasBit(leaf7_1.eax, 4);
  const bool has_avx512 = HasBit(leaf7.ebx, 16) && HasBit(leaf7.ebx, 17) && HasBit(leaf7.ebx, 30) &&
                          HasBit(leaf7.ebx, 31);
  features.avx512_vnni = features.avx2 && saves_zmm && has_avx512 && HasBit(leaf7.ecx, 11);
  const bool has_tiles = features.avx512_vnni && saves_tiles && HasBit(leaf7.edx, 24);
  features.amx_int8 = has_tiles && HasBit(leaf7.edx, 25);
  features.amx_bf16 = has_tiles && HasBit(leaf7.edx, 22);
  return features;
}

std::string CpuName() {
  std::string name;
  for (std::uint32_t leaf = 0x80000002U; leaf <= 0x80000004U; ++leaf) {
    const Registers part = CpuId(leaf, 0);
    for (const std::uint32_t value : std::array{part.eax, part.ebx, part.ecx, part.edx}) {
      for (int shift = 0; shift < 32; shift += 8) {
        const auto letter = static_cast<char>((value >> shift) & 0xFFU);
        if (letter > ' ' && letter <= '~') {
          name += letter;
        } else if (!name.empty() && name.back() != ' ') {
          name += ' ';
        }
      }
    }
  }
  while (!name.empty() && name.back() == ' ') name.pop_back();
  const std::uint32_t version = CpuId(1, 0).eax;
  const std::uint32_t base_family = (version >> 8) & 0xFU;
  const std::uint32_t family = base_family + (base_family == 0xF ? (version >> 20) & 0xFFU : 0);
  const std::uint32_t model = ((version >> 4) & 0xFU) + ((version >> 12) & 0xF0U);
  return (name.empty() ? "unnamed" : name) + ", family " + std::to_string(family) + ", model " +
         std::to_string(model) + ", stepping " + std::to_string(version & 0xFU);
}

bool RequestAmxPermission() {
  constexpr int kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr int kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace octet::kernels
