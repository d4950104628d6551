// Cards that do not match every filter are hidden; without this script all are shown.
const form = document.getElementById("filters");
const cards = [...document.querySelectorAll(".cards > li")];

function show() {
  const wanted = Object.fromEntries(new FormData(form));
  let shown = 0;
  for (const card of cards) {
    const { area, status, divergence } = card.dataset;
    card.hidden =
      (wanted.area && wanted.area !== area) ||
      (wanted.status && wanted.status !== status) ||
      (wanted.divergence && !divergence.split(" ").includes(wanted.divergence));
    shown += !card.hidden;
  }
  document.getElementById("count").value = `${shown} of ${cards.length} entries`;
}

form.addEventListener("change", show);
show();
