/** A file of a source, by its path there. */
export interface SourceFile {
  readonly path: string;
  readonly bytes: Buffer;
}

/** A package of the npm registry in one version, whose tarball has this SHA-512. */
export interface NpmSource {
  readonly kind: 'npm';
  readonly package: string;
  readonly version: string;
  /** As the registry gives it: `sha512-…`, base64. */
  readonly integrity: string;
}

/** Files that another program has installed; they are read where they are. */
export interface InstalledSource {
  readonly kind: 'installed';
  /** The package that installs them, and how. */
  readonly package: string;
  readonly remedy: string;
  readonly files: readonly string[];
  /** Its version, from the files. */
  versionOf(files: readonly SourceFile[]): string;
}

/** Real text that a package holds. */
export interface Corpus {
  /** As the command line and the folders have it. */
  readonly name: string;
  readonly title: string;
  /** Of the text. */
  readonly licence: string;
  readonly source: NpmSource | InstalledSource;
  /** Files of the source with the terms in full; they are copied beside the text. */
  readonly licenceFiles: readonly string[];
  /** Whether a file of an npm package has text in it; the others are not read. */
  holdsText(path: string): boolean;
  /** The documents, in an order that depends on the files alone. */
  documents(files: readonly SourceFile[]): Iterable<string>;
}

/** UTF-8 and, where it is none, Latin-1, in which old dictionaries have some of their entries. */
export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('latin1').decode(bytes);
  }
}
