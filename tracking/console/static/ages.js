// Ages of data: "12 s ago", marked stale after five minutes, so that an old position is never read as live.
const STALE_S = 300;

export function showAges(root = document) {
  const zh = document.documentElement.lang.startsWith("zh");
  for (const span of root.querySelectorAll(".age")) {
    const time = span.parentElement.querySelector("time");
    if (!time) continue;
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time.dateTime)) / 1000));
    const [value, unit] = seconds < 60 ? [seconds, zh ? "秒" : "s"]
      : seconds < 3600 ? [Math.floor(seconds / 60), zh ? "分钟" : "min"]
      : seconds < 86400 ? [Math.floor(seconds / 3600), zh ? "小时" : "h"]
      : [Math.floor(seconds / 86400), zh ? "天" : "d"];
    span.textContent = zh ? `${value} ${unit}前` : `${value} ${unit} ago`;
    span.classList.toggle("stale", seconds > STALE_S);
  }
}

showAges();
setInterval(showAges, 5000);
