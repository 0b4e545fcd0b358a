// What a session's container prints, as it prints it; and how the session came to its state.
import { back, el, show, when } from './dom.js';
import { get } from './api.js';
import { name } from './card.js';

// Lines that are kept on the page.
const MOST = 2000;

export function logs(id, lost) {
  const lines = [];
  let waiting = false;
  const text = el('pre', { tabindex: 0, role: 'log', 'aria-label': 'What the container prints' });
  const state = el('p', { class: 'faint', role: 'status' }, 'Connecting …');
  const history = el('tbody');
  const heading = el('h1', {}, 'Logs');
  show('Logs', back(), heading, state, text,
    el('section', { class: 'card', 'aria-label': 'History' }, el('h2', {}, 'History'),
      el('table', { 'aria-label': 'History', class: 'history' }, el('thead', {}, el('tr', {}, ['When', 'State', 'Why'].map((word) => el('th', { scope: 'col' }, word)))), history)));

  function draw() {
    waiting = false;
    const below = text.scrollHeight - text.scrollTop - text.clientHeight < 40;
    text.textContent = lines.join('\n');
    if (below) text.scrollTop = text.scrollHeight;
  }

  const stream = new EventSource(`/api/sessions/${id}/logs?follow=true&tail=500`);
  stream.onopen = () => {
    // The server sends the end of the log anew after a cut.
    lines.length = 0;
    state.textContent = 'Live.';
  };
  stream.onmessage = (event) => {
    lines.push(event.data);
    if (lines.length > MOST) lines.splice(0, lines.length - MOST);
    if (!waiting) { waiting = true; requestAnimationFrame(draw); }
  };
  stream.onerror = () => {
    state.textContent = stream.readyState === EventSource.CLOSED
      ? 'There is no log to show: the container is gone, or the session is.'
      : 'The container has ended, or the connection is cut; trying again.';
  };

  get(`/api/sessions/${id}`).then((session) => {
    heading.textContent = `Logs of ${name(session)}`;
  }, lost);
  get(`/api/sessions/${id}/events`).then((events) => {
    history.replaceChildren(...events.map((event) => el('tr', {}, el('td', {}, when(event.at)),
      el('td', {}, event.to), el('td', {}, event.reason))));
  }).catch(lost);
  return () => stream.close();
}
