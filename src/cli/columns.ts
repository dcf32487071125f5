/** Environment variable by which a process tells a stage how much room its lines have. */
export const COLUMNS_VARIABLE = 'TOKENFUSE_COLUMNS';

/** Width of everything that is printed: 80, less what a pipeline puts before a stage's lines. */
export const COLUMNS: number = Number(process.env[COLUMNS_VARIABLE]) || 80;
