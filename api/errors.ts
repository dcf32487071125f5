export { ConfigError, UserError } from '#src/errors';
