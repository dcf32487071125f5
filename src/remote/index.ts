export * from './frame.js';
export * from './groupIdentity.js';
export * from './groupPatterns.js';
export * from './heldGroups.js';
export {
  type ParameterServer,
  REMOTE_TOKEN_VARIABLE,
  type ServeOptions,
  type ServerCounts,
  serveGroups,
} from './parameterServer.js';
export type { RemoteOptions, RemoteParams, RemoteUsage } from './remoteParams.js';
export { connectRemote } from './remoteParams.js';
