// A clock that shows how long the page has been open.
const started = performance.now();

function format(seconds) {
  const minutes = Math.floor(seconds / 60);
  const rest = String(Math.floor(seconds % 60)).padStart(2, "0");
  return `${minutes}:${rest}`;
}

setInterval(() => {
  document.title = format((performance.now() - started) / 1000);
}, 1000);
