import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom } from '#src/random';

export const ROLES = ['cook', 'farmer', 'judge', 'pilot'];
export const THINGS = [
  ...[
    'dog-face',
    'red-apple',
    'green-book',
    'blue-car',
    'tea-cup',
    'fish',
    'hat',
    'key',
    'lamp',
    'moon',
    'oak-tree',
    'pear',
  ],
  ...['ring', 'ship', 'star', 'tent', 'violin', 'wheel', 'yo-yo', 'zebra'],
];
const TONES = ['light', 'medium-light', 'medium', 'medium-dark', 'dark'];
const MODIFIERS = ['1f3fb', '1f3fc', '1f3fd', '1f3fe', '1f3ff'];

/** A picture of its own for each name and style: some blocks on a disc. */
function body(style: string, name: string): string {
  const random = createRandom(0, style, name);
  const colour = (): string => `hsl(${random.integer(360)},80%,${30 + random.integer(40)}%)`;
  const blocks = Array.from(
    { length: 6 },
    () =>
      `<rect x="${random.integer(24)}" y="${random.integer(24)}" width="${4 + random.integer(8)}" height="${4 + random.integer(8)}" fill="${colour()}"/>`,
  );
  return `<circle cx="16" cy="16" r="15" fill="${colour()}"/>${blocks.join('')}`;
}

/**
 * Six packages of icons laid out as those of `@iconify-json`: people in four roles and five skin tones, twenty things, a flag, and
 * in Noto Emoji one broken, one retired and one mirrored icon.
 *
 * @returns the folder of the packages
 */
export function writeIconPackages(folder: string): string {
  const nodeModules = join(folder, 'node_modules');
  const people = ROLES.flatMap((role) => [`man-${role}`, `woman-${role}`]);
  for (const style of ['noto', 'twemoji', 'fluent-emoji-flat', 'fxemoji', 'openmoji', 'emojione']) {
    const isJoined = style === 'fxemoji';
    const suffix = (tone: string): string => (style === 'fluent-emoji-flat' ? `-${tone}` : `-${tone}-skin-tone`);
    const icons: Record<string, object> = {};
    const chars: Record<string, string> = {};
    const add = (name: string, code: string): void => {
      icons[isJoined ? name.replaceAll('-', '') : name] = { body: body(style, name) };
      chars[code] = name;
    };
    for (const [i, name] of people.entries()) {
      const code = (0x1f600 + i).toString(16);
      add(name, code);
      for (const [t, tone] of isJoined ? [] : TONES.entries()) {
        add(`${name}${suffix(tone)}`, `${code}-${MODIFIERS[t]}`);
      }
    }
    for (const [i, name] of THINGS.entries()) add(name, (0x1f700 + i).toString(16));
    add('flag-isle-of-man', '1f1ee-1f1f2');
    const aliases: Record<string, object> = {};
    if (style === 'noto') {
      aliases['lantern-of-oil'] = { parent: 'lamp' };
      aliases['pear-left'] = { parent: 'pear', hFlip: true };
      icons.broken = { body: '<path d="' };
      icons.retired = { body: body(style, 'retired'), hidden: true };
    }
    const path = join(nodeModules, '@iconify-json', style);
    mkdirSync(path, { recursive: true });
    const write = (name: string, value: object): void => writeFileSync(join(path, name), JSON.stringify(value));
    write('icons.json', { prefix: style, width: 32, height: 32, icons, aliases });
    write('chars.json', isJoined || style === 'emojione' ? {} : chars);
    write('metadata.json', { categories: { People: Object.keys(icons).filter((name) => /^(wo)?man-/.test(name)) } });
    write('info.json', {
      name: `Set ${style}`,
      author: { name: 'Ann', url: 'https://ann.example' },
      license: { title: 'MIT' },
    });
    write('package.json', { version: '1.2.3' });
  }
  return nodeModules;
}
