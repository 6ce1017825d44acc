"""The reference page's own words."""

from collections.abc import Mapping
from typing import Final

from gongyu.text import Text

__all__ = ["WORDS"]

WORDS: Final[Mapping[str, Text]] = {
    "title": Text(zh="接口参考", en="API reference"),
    "skip": Text(zh="跳到正文", en="Skip to the content"),
    "contents": Text(zh="目录", en="Contents"),
    "version": Text(zh="版本", en="Version"),
    "document": Text(zh="OpenAPI 3.1 文档", en="OpenAPI 3.1 document"),
    "whole": Text(zh="全部接口", en="The whole API"),
    "language": Text(zh="语言", en="Language"),
    "start": Text(zh="开始使用", en="Getting started"),
    "start_text": Text(
        zh="在控制台生成令牌，填好下面两行，页面上的 curl 就能直接运行。令牌只对一个区县有效。",
        en="Make a token in the console and fill in the two lines below; then every curl on this page runs as it "
        "stands. A token holds in one district only.",
    ),
    "rules": Text(zh="通行规则", en="Rules that hold everywhere"),
    "rule_pages": Text(
        zh="列表分页：`limit` 定每页行数，把答复里的 `next` 作为 `cursor` 取下一页，`next` 为 null 即最后一页。",
        en="Lists come in pages: `limit` rows each; give `next` of the answer as `cursor` to go on; on the last page "
        "it is null.",
    ),
    "rule_idempotency": Text(
        zh="POST 可带 `Idempotency-Key`：网络中断后用同一个键重发，得到同一答复，不会重复生效。",
        en="A POST may carry an `Idempotency-Key`: after a lost connection send it again with the same key, and you "
        "get the same answer without doing it twice.",
    ),
    "rule_errors": Text(
        zh="出错时返回问题详情（RFC 9457）：`type` 不变，可供程序判断；`detail` 给人看，语言依 `Accept-Language`；"
        "`errors` 列出每个有问题的字段。",
        en="Errors are problem details (RFC 9457): `type` never changes and is for programs; `detail` is for people, "
        "in the language of `Accept-Language`; `errors` names every wrong field.",
    ),
    "rule_time": Text(
        zh="时间一律带时区（RFC 3339），编号都是 UUID。",
        en="Times always name their zone (RFC 3339); ids are UUIDs.",
    ),
    "permission": Text(zh="权限", en="Permission"),
    "public": Text(zh="公开，无需登录", en="public, without sign-in"),
    "signed-in": Text(zh="登录即可", en="any signed-in person"),
    "roles": Text(zh="角色", en="Roles"),
    "sensitive": Text(zh="每次使用记入审计", en="each use is written to the audit log"),
    "deprecated": Text(zh="即将停用", en="deprecated"),
    "details": Text(zh="参数、请求与答复", en="Parameters, request and answers"),
    "of": Text(zh="：", en=": "),
    "parameters": Text(zh="参数", en="Parameters"),
    "name": Text(zh="名称", en="Name"),
    "place": Text(zh="位置", en="Place"),
    "type": Text(zh="类型", en="Type"),
    "description": Text(zh="说明", en="Description"),
    "required": Text(zh="必填", en="required"),
    "example": Text(zh="示例", en="Example"),
    "request": Text(zh="请求", en="Request"),
    "answers": Text(zh="答复", en="Answers"),
    "nothing": Text(zh="没有内容", en="nothing follows"),
    "try": Text(zh="试一试", en="Try it"),
    "problems": Text(zh="错误类型", en="Types of errors"),
    "problems_text": Text(zh="答复里的 `type` 是这里的一种。", en="The `type` of an answer is one of these."),
    "status": Text(zh="状态码", en="Status"),
    "meaning": Text(zh="含义", en="Meaning"),
    "any": Text(zh="任意", en="any"),
    "one_of": Text(zh="可选值", en="one of"),
    "default": Text(zh="默认", en="default"),
    "in_path": Text(zh="路径", en="path"),
    "in_query": Text(zh="查询", en="query"),
    "in_header": Text(zh="请求头", en="header"),
    "in_cookie": Text(zh="Cookie", en="cookie"),
}
