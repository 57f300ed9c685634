// The certificate's page: print it.
document.getElementById("print")?.addEventListener("click", () => window.print());
