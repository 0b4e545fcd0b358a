// A session as the list shows it, and what can be done with it.
import { ask, button, el, when } from './dom.js';
import { call, post } from './api.js';

export const UNDER_WAY = ['pending', 'starting', 'stopping'];
const WORDS = {
  pending: 'waiting for its container', starting: 'starting', running: 'running', stopping: 'stopping',
  stopped: 'stopped', failed: 'failed',
};
const STEPS = ['Container', 'Services', 'Ready'];

export const name = (session) => session.readable_id || session.id.slice(0, 8);

/** `act(work, told)` does something and says so. */
export function card(session, outdated, act) {
  const { status } = session;
  const newer = outdated && ['running', 'stopped', 'failed'].includes(status);
  const title = name(session);
  const path = `/api/sessions/${session.id}`;
  const key = (word) => `${session.id} ${word}`;
  const does = (word, told, work, given = {}) =>
    button({ 'data-key': key(word), 'aria-label': `${word} ${title}`, ...given }, word, () => act(work, told));
  const leads = (word, href, given = {}) =>
    el('a', { class: 'button', href, 'data-key': key(word), 'aria-label': `${word} of ${title}`, ...given }, word);

  async function remove() {
    const answer = await ask(`Delete ${title}?`, 'Its container goes. The files of the workspace stay on the server, for your next session, unless you choose otherwise.',
      'Delete', [['purge', 'Delete the files of the workspace as well']]);
    if (answer === null) return null;
    return call('DELETE', `${path}${answer.purge ? '?purge=true' : ''}`).then(() => true);
  }

  return el('li', { class: 'card' },
    el('div', { class: 'row apart' }, el('h2', {}, title),
      el('span', { class: `state ${UNDER_WAY.includes(status) ? 'busy' : status}` }, WORDS[status] ?? status)),
    progress(status),
    el('dl', {},
      el('dt', {}, 'Image'), el('dd', {}, session.image),
      el('dt', {}, 'Made'), el('dd', {}, when(session.created_at)),
      el('dt', {}, 'Last used'), el('dd', {}, when(session.last_activity_at))),
    status === 'failed' && el('div', { class: 'note bad' },
      el('p', {}, el('strong', {}, 'It failed: '), session.error_message ?? 'nobody knows why'),
      el('p', {}, 'Resume tries again. Your files are as they were.')),
    newer && el('div', { class: 'note' },
      el('p', {}, 'There is a newer image. Upgrade gives the session a new container of it; your files stay, what runs in it ends.')),
    el('div', { class: 'row do-row' },
      (status === 'running' || status === 'starting')
        && leads('Terminal', `/sessions/${session.id}/terminal/`, { target: '_blank', rel: 'noopener', class: 'button key', 'aria-label': `Terminal of ${title}, in a new tab` }),
      ['stopped', 'failed'].includes(status) && does('Resume', `${title} is starting.`, () => post(`${path}/resume`), { class: 'key' }),
      status === 'running' && leads('Files', `#/files/${session.id}`),
      session.container_id && leads('Logs', `#/logs/${session.id}`),
      newer && does('Upgrade', `${title} gets the newer image; your files stay.`, () => post(`${path}/upgrade`)),
      ['pending', 'starting', 'running'].includes(status)
        && does('Stop', `${title} is stopped; your files stay.`, async () => { await post(`${path}/stop`); }),
      does('Delete', `${title} is deleted.`, remove, { class: 'bad last' })));
}

/** How far a start is. */
function progress(status) {
  const at = { pending: 0, starting: 1 }[status];
  if (at === undefined) return null;
  return el('ol', { class: 'steps', 'aria-label': 'Progress' }, STEPS.map((step, place) =>
    el('li', { class: place < at ? 'done' : null, 'aria-current': place === at ? 'step' : null }, step)));
}
