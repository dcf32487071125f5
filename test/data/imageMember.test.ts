import { expect, it } from 'vitest';
import { imageMember, type ShardSample } from '#src/data';

const sample = (...extensions: readonly string[]): ShardSample => ({
  shard: 's.tar',
  key: '1',
  members: new Map(extensions.map((extension, i) => [extension, { name: `1.${extension}`, offset: i, length: 1 }])),
});

it('takes the image of a sample, and one that is not decoded only where there is no other', () => {
  expect(imageMember(sample('txt', 'jfif'))?.name).toBe('1.jfif');
  expect(imageMember(sample('heic', 'jpg', 'json'))?.name).toBe('1.jpg');
  expect(imageMember(sample('heic', 'json'))?.name).toBe('1.heic');
  expect(imageMember(sample('txt', 'json'))).toBeUndefined();
});

it('refuses two images', () => {
  expect(() => imageMember(sample('jpg', 'png'))).toThrow("s.tar: '1': expected one image, got jpg and png");
});
