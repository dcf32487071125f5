import { UserError } from '#src/errors';
import type { RemoteParams } from '#src/remote';
import type { JointModel } from './jointModel.js';

/**
 * Lets a merged model use groups that another process holds (`RemoteParams.takeOver`).
 *
 * @throws UserError also for a method whose groups share a norm
 */
export async function takeOverJointGroups({ tree, method, absent }: JointModel, remote: RemoteParams): Promise<void> {
  if (method.backboneGroups === 'union') {
    throw new UserError(
      `--remote: expected groups whose outputs add, got method '${method.name}': its groups share a norm and must be in one process`,
    );
  }
  await remote.takeOver(tree, absent ?? new Map());
}
