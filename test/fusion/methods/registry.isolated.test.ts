import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fusionMethod, fusionMethods, planMerge, registerFusionMethod } from '#fusion';
import { temporaryFolder } from '../../support/temporaryFolder.js';
import { userErrorLine } from '../../support/thrown.js';
import { writeTinyBackbones } from '../../support/tinyBackbones.js';
import { tinyRecipe } from '../../support/tinyJointModel.js';

const root = resolve(import.meta.dirname, '../../..');

describe('the registry of fusion methods', () => {
  it('knows the methods that come with it, in the order of the documentation', () => {
    expect(fusionMethods().map(({ name }) => name)).toEqual(['routed', 'grouped', 'union', 'crossAttention', 'prefix']);
  });

  it('names the nearest method for a name that it does not know', () => {
    expect(userErrorLine(() => fusionMethod('crossAtention'))).toBe(
      "fusion method: expected routed, grouped, union, crossAttention, prefix; got 'crossAtention' (did you mean 'crossAttention'?); --plugin <file> registers a method of your own",
    );
  });

  it('takes a method once and refuses another of its name', () => {
    registerFusionMethod(fusionMethod('routed'));
    expect(fusionMethods()).toHaveLength(5);
    expect(userErrorLine(() => registerFusionMethod({ ...fusionMethod('prefix'), name: 'routed' }))).toBe(
      "registerFusionMethod: expected a new name, got 'routed', which is registered already",
    );
  });

  it('refuses a plan in which a method adds what a backbone holds already', () => {
    const folder = temporaryFolder();
    writeTinyBackbones(folder);
    const prefix = fusionMethod('prefix');
    registerFusionMethod({
      ...prefix,
      name: 'colliding',
      groups: (config) =>
        prefix.groups(config).map((group) => ({ ...group, path: 'block0/attention/key', group: 'language' })),
    });
    const { problems } = planMerge(tinyRecipe({ method: 'colliding' }), folder);
    expect(problems).toEqual([
      "method 'colliding': adds 'block0/attention/key/language/tau', which a backbone holds; expected a name of its own",
    ]);
  });

  it('is the only place that asks for a method by its name', () => {
    const files = ['fusion', 'evaluation', 'experiments']
      .flatMap((room) => readdirSync(join(root, room), { recursive: true }).map((name) => join(room, String(name))))
      .filter((path) => path.endsWith('.ts') && !path.startsWith(join('fusion', 'methods')));
    expect(files.length).toBeGreaterThan(50);
    const asking = files.filter((path) =>
      /(method|name) [!=]== '(routed|grouped|union|crossAttention|prefix)'/.test(
        readFileSync(join(root, path), 'utf8'),
      ),
    );
    expect(asking).toEqual([]);
  });
});

describe('every fusion method', () => {
  for (const { name } of fusionMethods()) {
    it(`says in one sentence what it does, and plans the groups of the parts it is asked for: ${name}`, () => {
      const folder = temporaryFolder();
      writeTinyBackbones(folder);
      const method = fusionMethod(name);
      expect(method.description).toMatch(/^[A-Z][^\n]*\.$/);
      const { plan } = planMerge(tinyRecipe({ method: name }), folder);
      const bridges = plan!.groups.filter(({ origin }) => origin === 'bridge');
      const blocks = new Set(bridges.map(({ block }) => block)).size;
      expect(bridges).toHaveLength(blocks * method.parts.length);
      const ofBackbones = plan!.groups.filter(({ origin }) => origin !== 'bridge').map(({ stream }) => stream);
      expect(ofBackbones.every((stream) => (stream === 'both') === (method.backboneGroups !== 'separate'))).toBe(true);
    });
  }
});
