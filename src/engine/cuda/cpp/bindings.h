/** What the addon adds for the CUDA engine. */
#pragma once
#include <node_api.h>

namespace tokenfuse::cuda {

/** The object `cuda` of the addon's exports, described in addon.ts. */
napi_value createExports(napi_env env);

}  // namespace tokenfuse::cuda
