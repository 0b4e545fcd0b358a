// The sessions with their states, and what can be done with each.
import { ask, el, form, say, show, when } from './dom.js';
import { call, get, post } from './api.js';

// Milliseconds between two looks: while something is under way, and else.
const SOON = 1000;
const LATER = 8000;
const UNDER_WAY = ['pending', 'starting', 'stopping'];
const WORDS = {
  pending: 'waiting for its container', starting: 'starting', running: 'running', stopping: 'stopping',
  stopped: 'stopped', failed: 'failed',
};

const path = (session) => `/api/sessions/${session.id}`;
const name = (session) => session.readable_id || session.id.slice(0, 8);

export function sessions(user, lost) {
  let timer;
  let gone = false;
  let shown = '';
  let outdated = new Set();
  const list = el('ul', { class: 'sessions', 'aria-label': 'Sessions' });
  const create = el('button', { type: 'button', class: 'key', onclick: () => act(create, 'A session is being made.', () => post('/api/sessions', {})) },
    'New session');
  show('Sessions', el('div', { class: 'row apart' }, el('h1', {}, 'Sessions'), create), list,
    user.role === 'admin' && invites());

  async function act(button, told, work) {
    button.disabled = true;
    try {
      await work();
      say(told);
    } catch (refusal) {
      if (!lost(refusal)) say(refusal.message);
    } finally {
      button.disabled = false;
      look();
    }
  }

  async function look() {
    clearTimeout(timer);
    let all;
    try {
      all = await get('/api/sessions');
      if (all.some((session) => ['running', 'stopped'].includes(session.status))) {
        const updates = await get('/api/sessions/updates');
        outdated = new Set(updates.map((update) => update.session_id));
      }
    } catch (refusal) {
      if (gone || lost(refusal)) return;
      say(refusal.message);
      timer = setTimeout(look, LATER);
      return;
    }
    if (gone) return;
    // Drawn anew only when something changed: the focus and what is being read stay where they are.
    const now = JSON.stringify([all, [...outdated]]);
    if (now !== shown) {
      const held = document.activeElement?.dataset?.key;
      list.replaceChildren(...(all.length ? all.map(card) : [el('li', { class: 'card' },
        'You have no session yet. A session is a container with the tools for building overlays, a terminal and your files.')]));
      if (held) list.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
      shown = now;
    }
    const busy = all.some((session) => UNDER_WAY.includes(session.status));
    timer = setTimeout(look, document.hidden ? LATER * 4 : busy ? SOON : LATER);
  }

  function card(session) {
    const running = session.status === 'running';
    const still = ['stopped', 'failed'].includes(session.status);
    const title = name(session);
    const key = (word) => `${session.id} ${word}`;
    const button = (word, told, work, given = {}) => {
      const made = el('button', { type: 'button', 'data-key': key(word), 'aria-label': `${word} ${title}`, ...given,
        onclick: () => act(made, told, work) }, word);
      return made;
    };
    const link = (word, href, given = {}) =>
      el('a', { class: 'button', href, 'data-key': key(word), 'aria-label': `${word} of ${title}`, ...given }, word);
    return el('li', { class: 'card' },
      el('div', { class: 'row apart' }, el('h2', {}, title),
        el('span', { class: `state ${session.status}` }, WORDS[session.status] ?? session.status)),
      session.error_message && el('p', { class: 'error' }, session.error_message),
      el('dl', {},
        el('dt', {}, 'Image'), el('dd', {}, session.image, outdated.has(session.id) ? ' (there is a newer one)' : ''),
        el('dt', {}, 'Made'), el('dd', {}, when(session.created_at)),
        el('dt', {}, 'Last used'), el('dd', {}, when(session.last_activity_at))),
      el('div', { class: 'row' },
        (running || session.status === 'starting') && link('Terminal', `/sessions/${session.id}/terminal/`, { target: '_blank', rel: 'noopener', class: 'button key' }),
        running && link('Files', `#/files/${session.id}`),
        session.container_id && link('Logs', `#/logs/${session.id}`),
        still && button('Resume', `${title} is starting.`, () => post(`${path(session)}/resume`), { class: 'key' }),
        ['running', 'starting'].includes(session.status) && button('Stop', `${title} is stopping; its workspace stays.`, () => post(`${path(session)}/stop`)),
        outdated.has(session.id) && button('Upgrade', `${title} gets the newer image; its workspace stays.`, () => post(`${path(session)}/upgrade`)),
        button('Delete', `${title} is deleted.`, async () => {
          const answer = await ask(`Delete ${title}?`, 'Its container goes. The files of the workspace stay on the server, unless you choose otherwise.',
            'Delete', [['purge', 'Delete the files of the workspace as well']]);
          if (answer === null) throw Object.assign(new Error('Nothing was deleted.'), { status: 0 });
          await call('DELETE', `${path(session)}${answer.purge ? '?purge=true' : ''}`);
        }, { class: 'bad' })));
  }

  look();
  const seen = () => { if (!document.hidden) look(); };
  document.addEventListener('visibilitychange', seen);
  return () => {
    gone = true;
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', seen);
  };
}

/** For administrators: a code for somebody new. */
function invites() {
  const made = el('output', { class: 'faint' });
  return el('section', { class: 'card', 'aria-label': 'Invite somebody' },
    el('h2', {}, 'Invite somebody'),
    form([{ name: 'note', label: 'For whom', optional: true, input: { autocomplete: 'off', maxlength: 200 } }], 'Make an invite code', async (given) => {
      const invite = await post('/api/admin/invite-codes', { note: given.note || undefined });
      made.replaceChildren('Good once: ', el('code', {}, invite.code));
    }), made);
}
