export interface TarFile {
  readonly name: string;
  readonly content?: string | Uint8Array;
  /** '0' file, '5' folder, '2' link, …; '0' when not given. */
  readonly type?: string;
  /** How a long name is written: pax record or GNU long name; ustar's two fields when not given. */
  readonly dialect?: 'ustar' | 'pax' | 'gnu';
  /** Replaces bytes of the header before its checksum is made. */
  readonly edit?: (header: Buffer) => void;
}

/** A tar archive with its end mark. */
export function tarBytes(files: readonly TarFile[]): Buffer {
  return Buffer.concat([...files.flatMap(fileBlocks), Buffer.alloc(1024)]);
}

function fileBlocks({ name, content = '', type = '0', dialect = 'ustar', edit }: TarFile): Buffer[] {
  const bytes = Buffer.from(content);
  if (dialect === 'pax') {
    return [...member('PaxHeaders/0', 'x', paxRecord('path', name)), ...member('short', type, bytes, edit)];
  }
  if (dialect === 'gnu') {
    return [
      ...member('././@LongLink', 'L', Buffer.from(`${name}\0`)),
      ...member(name.slice(0, 100), type, bytes, edit),
    ];
  }
  return member(name, type, bytes, edit);
}

/** `length path=value\n`, whose length counts its own digits. */
export function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function member(name: string, type: string, content: Buffer, edit?: (header: Buffer) => void): Buffer[] {
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return [tarHeader(name, content.length, type, edit), content, padding];
}

/** A ustar header; a name of over 100 bytes is cut at a slash into prefix and name. */
export function tarHeader(name: string, length: number, type = '0', edit?: (header: Buffer) => void): Buffer {
  const header = Buffer.alloc(512);
  const cut = Buffer.byteLength(name) > 100 ? name.lastIndexOf('/', 154) : -1;
  header.write(name.slice(cut + 1), 0, 100);
  header.write('0000644\0', 100);
  header.write(`${length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(type, 156);
  header.write('ustar\x0000', 257);
  if (cut > 0) header.write(name.slice(0, cut), 345, 155);
  edit?.(header);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
