/**
 * What is used of NVIDIA's driver, NVRTC and cuBLASLt, declared here so that no toolkit is needed to build. The functions are
 * looked for by their symbols when the libraries are opened; the three tables are all that is ever called.
 */
#pragma once
#include <cstddef>
#include <cstdint>

namespace tokenfuse::cuda {

/** CUresult, nvrtcResult and cublasStatus_t; 0 is success in each. */
using Result = int;
using Device = int;
using Address = unsigned long long;
using Context = struct CUctx_st*;
using Stream = struct CUstream_st*;
using Event = struct CUevent_st*;
using Module = struct CUmod_st*;
using Function = struct CUfunc_st*;
using MemoryPool = struct CUmemPoolHandle_st*;
using Graph = struct CUgraph_st*;
using GraphExec = struct CUgraphExec_st*;
using Program = struct _nvrtcProgram*;
using LtHandle = struct cublasLtContext*;
using LtOperation = struct cublasLtMatmulDescOpaque*;
using LtLayout = struct cublasLtMatrixLayoutOpaque*;
using LtPreference = struct cublasLtMatmulPreferenceOpaque*;

// CUresult
constexpr Result kOutOfMemory = 2;
constexpr Result kDeinitialized = 4;
constexpr Result kNoDevice = 100;
constexpr Result kNotReady = 600;

// CUdevice_attribute
constexpr int kMultiprocessors = 16;
constexpr int kCapabilityMajor = 75;
constexpr int kCapabilityMinor = 76;
constexpr int kSharedMemoryOptIn = 97;
constexpr int kMemoryPoolsSupported = 115;

// CUfunction_attribute
constexpr int kMaxThreads = 0;
constexpr int kStaticShared = 1;
constexpr int kDynamicShared = 8;

// CUmemPool_attribute
constexpr int kReleaseThreshold = 4;
constexpr int kReservedNow = 5;

// CUstream_flags, CUevent_flags, CUstreamCaptureMode
constexpr unsigned kNonBlocking = 1;
constexpr unsigned kTimedEvent = 0;
constexpr unsigned kWaitAsleep = 1;
constexpr unsigned kNoTiming = 2;
constexpr int kCaptureThreadLocal = 1;
constexpr int kCaptureRelaxed = 2;

// nvrtcResult
constexpr Result kCompilationFailed = 6;

// cublasStatus_t, cublasComputeType_t, cudaDataType_t, cublasOperation_t
constexpr Result kLtNotInitialized = 1;
constexpr Result kLtExecutionFailed = 13;
constexpr Result kLtNotSupported = 15;
constexpr int kCompute32F = 68;
constexpr int kCompute32FFastTf32 = 77;
constexpr int kReal32F = 0;
constexpr int kReal16BF = 14;
constexpr int kPlain = 0;
constexpr int kTransposed = 1;

// cublasLtMatmulDescAttributes_t, cublasLtMatrixLayoutAttribute_t, cublasLtMatmulPreferenceAttributes_t
constexpr int kTransposeFirst = 3;
constexpr int kTransposeSecond = 4;
constexpr int kBatchCount = 5;
constexpr int kBatchOffset = 6;
constexpr int kMaxWorkspace = 1;
constexpr int kAlignmentA = 5;
constexpr int kAlignmentB = 6;
constexpr int kAlignmentC = 7;
constexpr int kAlignmentD = 8;

struct LtAlgorithm {
  uint64_t data[8];
};

/** cublasLtMatmulHeuristicResult_t */
struct LtHeuristic {
  LtAlgorithm algorithm;
  size_t workspaceBytes;
  Result state;
  float waves;
  int reserved[4];
};

/** (name here, symbol in libcuda.so.1, arguments); the result is a CUresult. */
#define TOKENFUSE_DRIVER(each)                                                                                          \
  each(getErrorName, "cuGetErrorName", (Result, const char**))                                                          \
  each(getErrorString, "cuGetErrorString", (Result, const char**))                                                      \
  each(init, "cuInit", (unsigned flags))                                                                                \
  each(driverVersion, "cuDriverGetVersion", (int*))                                                                     \
  each(deviceCount, "cuDeviceGetCount", (int*))                                                                         \
  each(deviceGet, "cuDeviceGet", (Device*, int ordinal))                                                                \
  each(deviceName, "cuDeviceGetName", (char*, int length, Device))                                                      \
  each(deviceMemory, "cuDeviceTotalMem_v2", (size_t*, Device))                                                          \
  each(deviceAttribute, "cuDeviceGetAttribute", (int*, int attribute, Device))                                          \
  each(retainContext, "cuDevicePrimaryCtxRetain", (Context*, Device))                                                   \
  each(setContext, "cuCtxSetCurrent", (Context))                                                                        \
  each(streamCreate, "cuStreamCreate", (Stream*, unsigned flags))                                                       \
  each(streamSynchronize, "cuStreamSynchronize", (Stream))                                                              \
  each(beginCapture, "cuStreamBeginCapture_v2", (Stream, int mode))                                                     \
  each(endCapture, "cuStreamEndCapture", (Stream, Graph*))                                                              \
  each(defaultPool, "cuDeviceGetDefaultMemPool", (MemoryPool*, Device))                                                 \
  each(poolSet, "cuMemPoolSetAttribute", (MemoryPool, int attribute, void*))                                            \
  each(poolGet, "cuMemPoolGetAttribute", (MemoryPool, int attribute, void*))                                            \
  each(poolTrim, "cuMemPoolTrimTo", (MemoryPool, size_t bytesToKeep))                                                   \
  each(memAlloc, "cuMemAllocAsync", (Address*, size_t bytes, Stream))                                                   \
  each(memFree, "cuMemFreeAsync", (Address, Stream))                                                                    \
  each(memInfo, "cuMemGetInfo_v2", (size_t* free, size_t* total))                                                       \
  each(hostAlloc, "cuMemHostAlloc", (void**, size_t bytes, unsigned flags))                                             \
  each(hostFree, "cuMemFreeHost", (void*))                                                                              \
  each(copyToDevice, "cuMemcpyHtoDAsync_v2", (Address, const void*, size_t bytes, Stream))                              \
  each(copyToHost, "cuMemcpyDtoHAsync_v2", (void*, Address, size_t bytes, Stream))                                      \
  each(copyOnDevice, "cuMemcpyDtoDAsync_v2", (Address to, Address from, size_t bytes, Stream))                          \
  each(fillBytes, "cuMemsetD8Async", (Address, unsigned char, size_t count, Stream))                                    \
  each(fillWords, "cuMemsetD32Async", (Address, unsigned, size_t count, Stream))                                        \
  each(eventCreate, "cuEventCreate", (Event*, unsigned flags))                                                          \
  each(eventRecord, "cuEventRecord", (Event, Stream))                                                                   \
  each(eventSynchronize, "cuEventSynchronize", (Event))                                                                 \
  each(eventElapsed, "cuEventElapsedTime", (float* milliseconds, Event from, Event to))                                 \
  each(eventDestroy, "cuEventDestroy_v2", (Event))                                                                      \
  each(moduleLoad, "cuModuleLoadData", (Module*, const void* image))                                                    \
  each(moduleFunction, "cuModuleGetFunction", (Function*, Module, const char* name))                                    \
  each(functionGet, "cuFuncGetAttribute", (int*, int attribute, Function))                                              \
  each(functionSet, "cuFuncSetAttribute", (Function, int attribute, int))                                               \
  each(launch, "cuLaunchKernel",                                                                                        \
       (Function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY, unsigned blockZ,    \
        unsigned sharedBytes, Stream, void** arguments, void** extra))                                                  \
  each(graphInstantiate, "cuGraphInstantiateWithFlags", (GraphExec*, Graph, unsigned long long flags))                  \
  each(graphLaunch, "cuGraphLaunch", (GraphExec, Stream))                                                               \
  each(graphExecDestroy, "cuGraphExecDestroy", (GraphExec))                                                             \
  each(graphDestroy, "cuGraphDestroy", (Graph))

/** The same, of functions that an older driver may lack. */
#define TOKENFUSE_DRIVER_OPTIONAL(each) \
  each(parameterInfo, "cuFuncGetParamInfo", (Function, size_t index, size_t* offset, size_t* bytes))

/** (name here, symbol in libnvrtc.so.12 or .13, arguments); the result is an nvrtcResult. */
#define TOKENFUSE_NVRTC(each)                                                                                           \
  each(version, "nvrtcVersion", (int* major, int* minor))                                                               \
  each(create, "nvrtcCreateProgram",                                                                                    \
       (Program*, const char* source, const char* name, int headers, const char* const* texts, const char* const* names)) \
  each(compile, "nvrtcCompileProgram", (Program, int options, const char* const*))                                      \
  each(logSize, "nvrtcGetProgramLogSize", (Program, size_t*))                                                           \
  each(log, "nvrtcGetProgramLog", (Program, char*))                                                                     \
  each(cubinSize, "nvrtcGetCUBINSize", (Program, size_t*))                                                              \
  each(cubin, "nvrtcGetCUBIN", (Program, char*))                                                                        \
  each(destroy, "nvrtcDestroyProgram", (Program*))

/** (name here, symbol in libcublasLt.so.12 or .13, arguments); the result is a cublasStatus_t. */
#define TOKENFUSE_CUBLASLT(each)                                                                                        \
  each(create, "cublasLtCreate", (LtHandle*))                                                                           \
  each(operationCreate, "cublasLtMatmulDescCreate", (LtOperation*, int compute, int scaleType))                         \
  each(operationSet, "cublasLtMatmulDescSetAttribute", (LtOperation, int attribute, const void*, size_t bytes))         \
  each(operationDestroy, "cublasLtMatmulDescDestroy", (LtOperation))                                                    \
  each(layoutCreate, "cublasLtMatrixLayoutCreate", (LtLayout*, int type, uint64_t rows, uint64_t columns, int64_t ld))  \
  each(layoutSet, "cublasLtMatrixLayoutSetAttribute", (LtLayout, int attribute, const void*, size_t bytes))             \
  each(layoutDestroy, "cublasLtMatrixLayoutDestroy", (LtLayout))                                                        \
  each(preferenceCreate, "cublasLtMatmulPreferenceCreate", (LtPreference*))                                             \
  each(preferenceSet, "cublasLtMatmulPreferenceSetAttribute", (LtPreference, int attribute, const void*, size_t bytes)) \
  each(preferenceDestroy, "cublasLtMatmulPreferenceDestroy", (LtPreference))                                            \
  each(heuristic, "cublasLtMatmulAlgoGetHeuristic",                                                                     \
       (LtHandle, LtOperation, LtLayout a, LtLayout b, LtLayout c, LtLayout d, LtPreference, int most, LtHeuristic*,    \
        int* found))                                                                                                    \
  each(matmul, "cublasLtMatmul",                                                                                        \
       (LtHandle, LtOperation, const void* alpha, const void* a, LtLayout, const void* b, LtLayout, const void* beta,   \
        const void* c, LtLayout, void* d, LtLayout, const LtAlgorithm*, void* workspace, size_t bytes, Stream))

#define TOKENFUSE_MEMBER(name, symbol, arguments) Result(*name) arguments = nullptr;
struct DriverApi {
  TOKENFUSE_DRIVER(TOKENFUSE_MEMBER)
  TOKENFUSE_DRIVER_OPTIONAL(TOKENFUSE_MEMBER)
};
struct NvrtcApi {
  TOKENFUSE_NVRTC(TOKENFUSE_MEMBER)
};
struct CublasLtApi {
  TOKENFUSE_CUBLASLT(TOKENFUSE_MEMBER)
  /** cublasLtGetVersion and cublasLtGetCudartVersion. */
  size_t (*version)() = nullptr;
  size_t (*runtimeVersion)() = nullptr;
};
#undef TOKENFUSE_MEMBER

}  // namespace tokenfuse::cuda
