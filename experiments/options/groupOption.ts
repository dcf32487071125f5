import type { OptionSpec } from '#src/cli';

/** For every command that runs a model. */
export const GROUP_OPTION: Readonly<Record<string, OptionSpec>> = {
  group: {
    description: 'attach the group in this file, as tokenfuse tune wrote it; may be given again',
    placeholder: 'file',
    multiple: true,
  },
};
