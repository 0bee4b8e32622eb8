// Filter the table, sort it by a column, open a package's section when its link is followed.
const rows = [...document.querySelectorAll("tbody tr")];
document.querySelector("input[type=search]").addEventListener("input", (event) => {
  const wanted = event.target.value.trim().toLowerCase();
  for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
});
document.querySelectorAll("th").forEach((head, column) => {
  let direction = 1;
  head.addEventListener("click", () => {
    const key = (row) => row.cells[column].dataset.sort ?? row.cells[column].textContent;
    const compare = (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true });
    rows.sort((a, b) => direction * compare(a, b));
    rows[0]?.parentElement.append(...rows);
    direction = -direction;
  });
});
const open = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.matches("details")) target.open = true;
};
addEventListener("hashchange", open);
open();
