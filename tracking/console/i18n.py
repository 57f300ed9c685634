"""The words of the pages in Chinese and English. A test checks that both sides are complete."""

from __future__ import annotations

from typing import Final, Literal

from tracking.console.rule_words import RULE_WORDS

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")

WORDS: Final[dict[str, tuple[str, str]]] = {
    **RULE_WORDS,
    "shipments": ("Shipments", "监管货物"),
    "shipment": ("Shipment", "货物"),
    "search": ("Search", "搜索"),
    "search_hint": ("Number, container, plate, reference", "单号、箱号、车牌、关联单证"),
    "number": ("Number", "单号"),
    "park": ("Park", "园区"),
    "reference": ("Reference", "关联单证"),
    "things": ("Goods and vehicles", "箱与车"),
    "custody": ("Custody", "监管状态"),
    "findings": ("Findings", "异常"),
    "open_findings": ("Open findings", "未关闭异常"),
    "last_position": ("Last position", "最新位置"),
    "created": ("Created", "建档"),
    "no_shipments": ("No shipment yet.", "暂无货物。"),
    "no_shipments_hint": (
        "Create one with POST /v1/shipments, or start the demo with “make run”.",
        "用 POST /v1/shipments 建立，或用“make run”启动演示。",
    ),
    "no_match": ("Nothing matches", "没有匹配"),
    "no_match_hint": (
        "Try the beginning of a number, container, plate or reference, or clear the search.",
        "请输入单号、箱号、车牌或关联单证的开头部分，或清除搜索。",
    ),
    "clear": ("Clear", "清除"),
    "older": ("Older", "更早"),
    "timeline": ("Milestones", "节点"),
    "no_milestones": ("No milestone yet.", "暂无节点。"),
    "containment": ("What is in what", "装载关系"),
    "still_inside": ("still inside", "仍在其中"),
    "no_milestones_hint": (
        "Milestones appear when an attached device reports a change.",
        "绑定的设备报告变化后，节点即出现。",
    ),
    "decided_explained": ("explained", "已说明"),
    "decided_waived": ("waived", "已豁免"),
    "waived_until": ("until", "有效至"),
    "what_changed": ("What changed", "变更记录"),
    "change_opened": ("found", "发现"),
    "change_closed": ("ended", "结束"),
    "change_reopened": ("open again", "重新打开"),
    "change_redated": ("dated anew", "时间更正"),
    "change_withdrawn": ("withdrawn", "撤销"),
    "change_restored": ("holds after all", "恢复"),
    "change_changed": ("changed", "变更"),
    "why_events": ("as it happened", "随事件发生"),
    "why_new_data": ("new data", "新数据"),
    "why_late_events": ("late events", "迟到事件"),
    "why_terms": ("new terms", "新监管要求"),
    "why_park_rules": ("new rules of the park", "园区规则变更"),
    "why_area": ("changed zone or corridor", "区域或路线变更"),
    "why_document": ("a document", "新单证"),
    "why_attachment": ("a device attached later", "补录设备绑定"),
    "why_closing": ("the shipment was closed", "货物结案"),
    "why_rules_version": ("new version of the rules", "规则新版本"),
    "no_open_finding": ("no open finding", "无未关闭异常"),
    "no_findings": ("No finding.", "无异常。"),
    "no_findings_hint": (
        "Every rule that applies was judged through {through}.",
        "所有适用规则已评判至 {through}。",
    ),
    "not_judged": ("Not judged yet.", "尚未评判。"),
    "map": ("Map", "地图"),
    "no_trace": ("No position yet.", "暂无位置。"),
    "no_trace_hint": (
        "Attach a device to one of its things (POST /v1/attachments) and let it report.",
        "请将设备绑定到箱或车（POST /v1/attachments），并等待其上报。",
    ),
    "certificate": ("Certificate", "监管凭证"),
    "certificate_says": (
        "What stands here is under a signature. “bondwatch verify” checks the file without our systems.",
        "本页内容均有签名。“bondwatch verify”可脱离本系统校验该文件。",
    ),
    "made_at": ("made", "出具"),
    "signed_head": ("Signed head of the log", "日志签名"),
    "log_size": ("leaves", "条记录"),
    "public_key": ("Public key", "公钥"),
    "signature": ("Signature", "签名"),
    "not_signed": ("not signed as a whole", "未整体签名"),
    "ledger_entries": ("Ledger entries", "台账条目"),
    "proven_rows": ("Proven rows", "可证记录"),
    "proven_events": ("Proven events", "可证事件"),
    "completeness": ("Completeness", "完整性"),
    "observations": ("observations", "观测数"),
    "missing_numbers": ("missing numbers", "缺失序号"),
    "refused": ("refused", "拒收"),
    "role": ("role", "作用"),
    "device": ("device", "设备"),
    "print": ("Print", "打印"),
    "not_yet_signed": ("Not yet signed.", "尚未签名。"),
    "not_yet_signed_hint": (
        "The newest entries stand below no signed head yet. Reload in a few seconds.",
        "最新条目尚未签名，请数秒后刷新。",
    ),
    "evidence": ("Evidence", "证据"),
    "parameters": ("Parameters", "参数"),
    "terms": ("Terms", "监管要求"),
    "terms_revision": ("Terms revision", "监管要求版本"),
    "rule": ("Rule", "规则"),
    "opened": ("Opened", "开始"),
    "closed": ("Closed", "结束"),
    "still_open": ("still open", "持续中"),
    "device_time": ("device time", "设备时间"),
    "judged_through": ("judged through", "评判至"),
    "now": ("now", "刚刚"),
    "ago": ("ago", "前"),
    "stale": ("stale", "数据陈旧"),
    "live": ("live", "实时"),
    "reconnecting": ("reconnecting …", "正在重连……"),
    "log_in": ("Log in", "登录"),
    "log_out": ("Log out", "退出"),
    "api_key": ("API key", "API 密钥"),
    "api_key_hint": (
        "The start told it, or where it is: the file secrets/api_admin_key of the data directory.",
        "启动时已显示密钥或其位置：数据目录下的 secrets/api_admin_key 文件。",
    ),
    "wrong_key": ("This key isn't known here, or was revoked.", "该密钥不存在或已撤销。"),
    "trace": ("Trace", "轨迹"),
    "download": ("Download", "下载"),
    "legend": ("Legend", "图例"),
    "corridor": ("Corridor and its tolerance", "路线及容差"),
    "zone": ("Zone", "区域"),
    "forbidden_zone": ("Forbidden area", "禁入区域"),
    "points": ("positions", "个位置"),
    "fit": ("Fit", "全图"),
    "zoom_in": ("Zoom in", "放大"),
    "zoom_out": ("Zoom out", "缩小"),
    "from_position": ("Position", "位置"),
    "not_found": ("There is no such shipment.", "没有该货物。"),
    "back": ("Back to the list", "返回列表"),
    "severity_critical": ("critical", "紧急"),
    "severity_major": ("major", "重大"),
    "severity_minor": ("minor", "一般"),
    "severity_info": ("info", "提示"),
    "severity_undetermined": ("undetermined", "待定"),
    "severity_fine": ("fine", "正常"),
    "state_open": ("open", "未关闭"),
    "state_closed": ("closed", "已关闭"),
    "state_withdrawn": ("withdrawn", "已撤回"),
    "milestone_entered": ("entered", "进入"),
    "milestone_left": ("left", "离开"),
    "milestone_strayed": ("strayed from", "偏离"),
    "milestone_returned": ("on corridor", "在路线上"),
    "milestone_crossed": ("crossed", "穿越"),
    "milestone_stopped": ("stopped", "停车"),
    "milestone_moved": ("moved on", "启动"),
    "milestone_jumped": ("jumped", "位置跳变"),
    "milestone_jump_settled": ("jump settled", "跳变确认"),
    "milestone_datum_suspected": ("datum suspected", "坐标系可疑"),
    "milestone_datum_undetermined": ("places undetermined: datum", "坐标系可疑，位置待定"),
    "milestone_datum_cleared": ("datum cleared", "坐标系疑点解除"),
    "milestone_silent": ("fell silent", "失联"),
    "milestone_heard": ("heard again", "恢复上报"),
    "milestone_seal_locked": ("seal locked", "施封"),
    "milestone_seal_unlocked": ("seal unlocked", "解封"),
    "milestone_seal_cut": ("seal cut", "关锁剪断"),
    "milestone_seal_tampered": ("seal tampered", "关锁异常"),
    "milestone_passed_gate": ("passed gate", "过卡"),
    "milestone_handed_over": ("handed over", "交接"),
    "milestone_level_crossed": ("crossed a level", "越过阈值"),
    "figure_area": ("area", "区域"),
    "figure_device": ("device", "设备"),
    "figure_missing": ("missing", "缺少"),
    "figure_silence": ("silence", "失联"),
    "figure_last_heard": ("last heard", "最后上报"),
    "figure_heard": ("heard again", "恢复上报"),
    "figure_distance_m": ("beyond the edge, m", "超出边界（米）"),
    "figure_tolerance_m": ("tolerance, m", "容差（米）"),
    "figure_accuracy_m": ("accuracy, m", "定位精度（米）"),
    "figure_fixes": ("positions in a row", "连续位置数"),
    "figure_lon": ("longitude", "经度"),
    "figure_lat": ("latitude", "纬度"),
    "figure_depth_m": ("depth inside, m", "进入深度（米）"),
    "figure_gap_s": ("gap, s", "间隔（秒）"),
    "figure_after_s": ("after, s", "时限（秒）"),
    "figure_seal": ("seal", "关锁"),
    "figure_certain": ("certain", "确定"),
    "figure_observation": ("observation", "观测"),
}


class Words:
    """The dictionary of one language: ``words["search"]``; a word that isn't there shows as itself."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._column = LANGUAGES.index(language)

    def __getitem__(self, key: str) -> str:
        pair = WORDS.get(key)
        return pair[self._column] if pair else key.split("_", 1)[-1].replace("_", " ")


def choose(query: str | None, cookie: str | None, accept: str) -> Language:
    """The page's language: what the address says, else what was chosen before, else the browser's first."""
    for wish in (query, cookie):
        if wish == "zh":
            return "zh"
        if wish == "en":
            return "en"
    return "zh" if accept.strip().lower().startswith("zh") else "en"
