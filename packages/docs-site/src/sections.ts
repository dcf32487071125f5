/** A part of the site's sidebar. */
export interface Section {
  readonly title: string;
  /** Markdown files, as paths in the repository; an entry of the sidebar is a page's first heading, unless it has a title here. */
  readonly pages: readonly (string | { readonly path: string; readonly title: string })[];
}

/** The site's pages, by task. The README is its start page. */
export const SECTIONS: readonly Section[] = [
  {
    title: 'Start here',
    pages: [{ path: 'README.md', title: 'Overview and quickstart' }, 'docs/install.md'],
  },
  { title: 'Your own pictures', pages: ['docs/own-model.md', 'docs/photos.md', 'docs/data-formats.md'] },
  { title: 'Training', pages: ['docs/vision-objectives.md', 'docs/studies.md', 'docs/runs.md', 'docs/tuning.md'] },
  { title: 'Merging and aligning', pages: ['docs/fusion.md'] },
  { title: 'Evaluation', pages: ['docs/evaluation.md', 'docs/metrics.md', 'docs/inspect.md'] },
  { title: 'In the browser and over HTTP', pages: ['docs/web.md', 'docs/serving.md'] },
  {
    title: 'Growth and other promises',
    pages: ['docs/growth.md', 'docs/sparse.md', 'docs/elastic.md', 'docs/remote.md'],
  },
  {
    title: 'Engines and speed',
    pages: ['docs/engines.md', 'docs/kernels.md', { path: 'bench/README.md', title: 'Benchmarks' }],
  },
  { title: 'Running it seriously', pages: ['docs/reliability.md', 'docs/signals.md'] },
  {
    title: 'Reference',
    pages: ['docs/commands.md', 'docs/configuration.md', 'docs/architecture.md', 'CONTRIBUTING.md'],
  },
  {
    title: 'API',
    pages: [
      { path: 'docs/api/README.md', title: 'Modules' },
      'docs/api/tokenfuse.md',
      'docs/api/tokenfuse/vision.md',
      'docs/api/tokenfuse/language.md',
      'docs/api/tokenfuse/fusion.md',
      'docs/api/tokenfuse/evaluation.md',
      'docs/api/tokenfuse/metrics.md',
      'docs/api/tokenfuse/tokenformer.md',
    ],
  },
  { title: 'Results', pages: ['docs/quickstart.md', 'experiments/RESULTS.md', 'CHANGELOG.md'] },
];

/** Paths of all pages, in the order of the sidebar. */
export const PAGE_PATHS: readonly string[] = SECTIONS.flatMap(({ pages }) =>
  pages.map((page) => (typeof page === 'string' ? page : page.path)),
);
