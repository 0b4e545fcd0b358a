// The workspace of a session: look, fetch, put, remove.
import { ask, back, button, el, form, say, show, size, trouble, when } from './dom.js';
import { call, get, upload } from './api.js';
import { name as named } from './card.js';

export function files(id, folder, lost) {
  let gone = false;
  const server = `/sessions/${id}/files`;
  const here = folder || '.';
  const of = (node) => node.path_encoded ?? encodeURIComponent(node.path);
  const inside = (name) => encodeURIComponent(folder ? `${folder}/${name}` : name);
  const view = (path) => `#/files/${id}/${path.split('/').map(encodeURIComponent).join('/')}`;
  const body = el('tbody');
  const table = el('table', { 'aria-label': 'Files' },
    el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, 'Name'), el('th', { scope: 'col', class: 'number' }, 'Size'),
      el('th', { scope: 'col', class: 'time' }, 'Changed'), el('th', { scope: 'col', class: 'mode' }, 'Mode'),
      el('th', { scope: 'col', class: 'number' }, 'Action'))), body);
  const note = el('p', { class: 'faint', role: 'status' }, 'Looking …');
  const [place, tell] = trouble();
  const bar = el('progress', { max: 1, value: 0, hidden: true, 'aria-label': 'Upload' });
  const chosen = el('input', { type: 'file', id: 'upload', multiple: true, onchange: () => send([...chosen.files]) });
  const heading = el('h1', {}, 'Files');

  show('Files', back(), heading, place,
    el('div', { class: 'card' },
      el('div', { class: 'row apart' },
        el('nav', { 'aria-label': 'Folder', class: 'row' }, crumbs()),
        el('a', { class: 'button', href: `${server}/archive?path=${encodeURIComponent(here)}&format=tar.gz`, download: true }, 'Fetch this folder (tar.gz)')),
      table, note),
    el('section', { class: 'card beneath', 'aria-label': 'Put in' },
      el('div', {}, el('label', { for: 'upload' }, 'Put files here'), chosen, bar),
      form([{ name: 'name', label: 'New folder', input: { autocomplete: 'off', spellcheck: 'false' } }], 'Make the folder', async ({ name }) => {
        await call('PUT', `${server}/mkdir?path=${inside(name)}`);
        say(`${name} is here.`);
        await look();
      })));

  get(`/api/sessions/${id}`).then((session) => {
    heading.textContent = `Files of ${named(session)}`;
  }, lost);

  function crumbs() {
    const parts = folder.split('/').filter(Boolean);
    const steps = [['workspace', ''], ...parts.map((part, at) => [part, parts.slice(0, at + 1).join('/')])];
    return steps.map(([text, path], at) => [at > 0 && el('span', { 'aria-hidden': 'true' }, '/'),
      at === steps.length - 1 ? el('span', { 'aria-current': 'page' }, el('strong', {}, text)) : el('a', { href: view(path) }, text)]).flat();
  }

  // What goes wrong stays on the page until something goes well.
  function refused(refusal) {
    if (!gone && !lost(refusal)) tell(refusal.message, refusal.code === 'SESSION_STOPPED' ? 'Resume the session in the list of all sessions.' : null);
  }

  async function look() {
    let nodes;
    try {
      nodes = await get(`${server}/tree?path=${encodeURIComponent(here)}&depth=1&show_hidden=true`);
    } catch (refusal) {
      note.textContent = '';
      refused(refusal);
      return;
    }
    if (gone) return;
    note.textContent = nodes.length ? '' : 'This folder is empty.';
    table.hidden = nodes.length === 0;
    body.replaceChildren(...nodes.map(row));
  }

  function row(node) {
    const isFolder = node.type === 'directory';
    return el('tr', {},
      el('td', {}, isFolder ? el('a', { href: view(node.path), class: 'folder' }, `${node.name}/`)
        : el('a', { href: `${server}/download?path=${of(node)}`, download: node.name }, node.name),
      node.target ? ` → ${node.target}` : ''),
      el('td', { class: 'number' }, node.size == null || isFolder ? '' : size(node.size)),
      el('td', { class: 'time' }, when(node.modified * 1000)),
      el('td', { class: 'mode' }, el('code', {}, node.mode ?? '')),
      el('td', { class: 'do' }, button({ class: 'quiet bad', 'aria-label': `Delete ${node.name}` }, 'Delete', () => remove(node))));
  }

  async function remove(node) {
    const what = node.type === 'directory' ? 'The folder and all that is in it go.' : 'The file goes.';
    if (await ask(`Delete ${node.name}?`, what, 'Delete') === null) return;
    tell('');
    try {
      await call('DELETE', `${server}/file?path=${of(node)}`);
      say(`${node.name} is deleted.`);
    } catch (refusal) {
      refused(refusal);
    }
    await look();
  }

  async function send(all) {
    tell('');
    bar.hidden = false;
    try {
      for (const file of all) {
        bar.value = 0;
        await upload(server, inside(file.name), file, (part) => { bar.value = part; });
      }
      say(all.length === 1 ? `${all[0].name} is here.` : `${all.length} files are here.`);
    } catch (refusal) {
      refused(refusal);
    }
    bar.hidden = true;
    chosen.value = '';
    await look();
  }

  look();
  return () => { gone = true; };
}
