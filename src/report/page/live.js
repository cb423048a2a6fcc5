/* On a page that a server gives: asks it for newer data, and shows them. */
(function () {
  const OFTEN = 2000, SELDOM = 10000; /* ms between questions while the run goes on, and else */
  const where = location.pathname.replace(/\/?$/, '/data');
  const told = document.createElement('p');
  let tag = '', ended = false;
  told.id = 'live';
  told.setAttribute('role', 'status');
  document.body.append(told);
  const tell = (text) => { if (told.textContent !== text) told.textContent = text; };
  async function ask() {
    const answer = await fetch(where, {cache: 'no-store', headers: tag ? {'If-None-Match': tag} : {}});
    if (answer.status !== 304 && !answer.ok) throw new Error('code ' + answer.status);
    if (answer.ok) {
      show(await answer.json());
      tag = answer.headers.get('ETag');
    }
    ended = answer.headers.get('Spnas-Run') !== 'running';
    tell(ended ? 'nobody works on this run now' : 'live');
  }
  async function again() {
    if (document.hidden) return addEventListener('visibilitychange', again, {once: true});
    try {
      await ask();
    } catch (error) {
      tell(ended ? 'the run has ended; this is its last state' : 'no answer (' + error.message + '); this is its last known state');
      ended = true;
    }
    setTimeout(again, ended ? SELDOM : OFTEN);
  }
  again();
})();
