// "/" goes to the search from anywhere.
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, textarea")) return;
  event.preventDefault();
  document.querySelector("input[type=search]")?.select();
});
