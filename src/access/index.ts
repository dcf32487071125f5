/** @file Who may reach a server: addresses and tokens. */
export * from './address.js';
export * from './token.js';
