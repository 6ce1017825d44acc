"""Every code a finding can have: its severity and its words, each saying what to do about it.

error: the row (or file) is not taken over; warning: taken over without the doubtful value, or to be looked at;
notice: taken over, put right on the way.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from gongyu.text import Text

__all__ = ["CATALOGUE", "COLUMNS", "SEVERITIES", "Entry", "Severity"]

Severity = Literal["error", "warning", "notice"]

SEVERITIES: Mapping[Severity, Text] = {
    "error": Text(zh="错误", en="error"),
    "warning": Text(zh="警告", en="warning"),
    "notice": Text(zh="提示", en="notice"),
}

COLUMNS = (
    Text(zh="级别", en="Severity"),
    Text(zh="代码", en="Code"),
    Text(zh="文件", en="File"),
    Text(zh="行", en="Row"),
    Text(zh="列", en="Column"),
    Text(zh="说明", en="What is wrong"),
    Text(zh="原值", en="Value"),
    Text(zh="影响行数", en="Rows blocked"),
)


class Entry(Struct, frozen=True):
    severity: Severity
    text: Text


def _error(zh: str, en: str) -> Entry:
    return Entry("error", Text(zh=zh, en=en))


def _warning(zh: str, en: str) -> Entry:
    return Entry("warning", Text(zh=zh, en=en))


def _notice(zh: str, en: str) -> Entry:
    return Entry("notice", Text(zh=zh, en=en))


_PACKAGE = {
    "path_missing": _error("找不到文件或文件夹。", "There is no such file or folder."),
    "path_unreadable": _error("无法读取：{reason}。", "It cannot be read: {reason}."),
    "path_link": _error(
        "这是一个链接，不会跟随读取；请放入文件本身。",
        "This is a link, which is not followed; put the file itself here.",
    ),
    "package_empty": _error("其中没有任何可读的文件。", "There is no file in it that could be read."),
    "package_files": _error(
        "共有 {count} 个文件，最多允许 {limit} 个。", "It holds {count} files; at most {limit} are allowed."
    ),
    "package_size": _error(
        "解开后超过 {limit} MB，疑似压缩炸弹，未读取。",
        "It is larger than {limit} MB when unpacked; this may be a zip bomb and was not read.",
    ),
    "zip_broken": _error("压缩包已损坏，请重新导出。", "The zip file is damaged; export it again."),
    "zip_ratio": _error(
        "压缩比超过 {limit} 倍，疑似压缩炸弹，未读取。",
        "It is compressed more than {limit} times; this may be a zip bomb and was not read.",
    ),
    "zip_path": _error(
        "压缩包内的路径不安全（绝对路径、“..”、反斜杠或链接），整个压缩包未读取。",
        "A path in the zip is unsafe (absolute, “..”, a backslash or a link); the whole zip was not read.",
    ),
    "zip_encrypted": _error(
        "压缩包设有密码，请去掉密码后重新打包。", "The zip is protected by a password; pack it again without one."
    ),
    "zip_nested": _error(
        "压缩包里又有压缩包，未读取；请先解开。", "An archive inside the zip is not read; unpack it first."
    ),
    "zip_folder": _warning(
        "文件位于压缩包内的文件夹中；标准要求直接放在根部，已照样读取。",
        "The files lie in a folder inside the zip; the standard wants them at its root. They were read.",
    ),
    "file_duplicate": _error(
        "有两个同名文件（不分大小写），只读取第一个。",
        "Two files have this name (letter case aside); only the first is read.",
    ),
    "file_name_case": _warning(
        "文件名大小写应为 {expected}，已照样读取。", "The file should be named {expected} (letter case); it was read."
    ),
    "file_unknown": _notice("不认识的文件，未读取。", "Not a file of this format; not read."),
    "file_unused": _notice(
        "该文件的内容平台不使用，未读取。", "The platform does not use what is in this file; not read."
    ),
    "file_missing": _error("缺少文件 {expected}。", "The file {expected} is missing."),
    "file_empty": _warning(
        "只有表头，没有数据；不会据此结束任何记录。",
        "It has a header and no rows; nothing will be ended because of it.",
    ),
    "dialect_unknown": _error(
        "不是任何已知格式的名册。{reasons}", "This is no roster in any format known here. {reasons}"
    ),
    "dialect_named": _error(
        "没有名为“{value}”的格式，可用的有：{known}。", "There is no format named “{value}”; known are: {known}."
    ),
}

_ENCODING = {
    "encoding_gbk": _warning(
        "文件为 GBK 编码，已按 GBK 读取；请核对姓名，并改用 UTF-8 导出。",
        "The file is in GBK and was read so; check the names, and export as UTF-8.",
    ),
    "encoding_utf16": _warning(
        "文件为 UTF-16 编码，已照样读取；请改用 UTF-8 导出。", "The file is in UTF-16 and was read so; export as UTF-8."
    ),
    "encoding_unknown": _error(
        "无法识别文件编码，请用 UTF-8 重新导出。", "The encoding of the file is not known; export it as UTF-8."
    ),
    "character_damaged": _error(
        "该行有损坏的字符，未导入；请从源系统重新导出。",
        "The row has damaged characters and is not taken over; export it again from the source.",
    ),
    "character_null": _error(
        "该行含有空字符（NUL），文件可能已损坏，未导入。",
        "The row has NUL characters, the file may be damaged; it is not taken over.",
    ),
    "character_control": _warning(
        "含有不可见的控制字符，已去掉。", "It has invisible control characters, which were removed."
    ),
    "character_private": _warning(
        "姓名中有自造字（私用区字符），其他系统和打印机无法显示；请换成标准汉字。",
        "The name has a private-use character that no other system or printer shows; replace it by the standard one.",
    ),
    "line_too_long": _error(
        "有一行超过 {limit} KB，这不是名册表格。", "A line is longer than {limit} KB; this is no roster table."
    ),
}

_TABLE = {
    "csv_broken": _error("引号没有正确配对，该行未导入。", "The quotes do not pair up; the row is not taken over."),
    "semicolon_separated": _warning(
        "列之间是分号而不是逗号（本地化 Excel 常见），已照样读取。",
        "The columns are separated by semicolons, not commas (as a localised Excel does); it was read.",
    ),
    "tab_separated": _warning(
        "列之间是制表符而不是逗号，已照样读取。", "The columns are separated by tabs, not commas; it was read."
    ),
    "text_as_xls": _warning(
        "扩展名是 .xls，内容却是文本，已按文本读取；请用 Excel 另存为 .xlsx。",
        "It is named .xls but holds text, and was read as such; save it as .xlsx with Excel.",
    ),
    "html_as_xls": _error(
        "扩展名是 .xls，内容却是网页表格，未读取；请用 Excel 打开后另存为 .xlsx。",
        "It is named .xls but holds a web page and was not read; open it in Excel and save it as .xlsx.",
    ),
    "extension_wrong": _notice(
        "扩展名与内容不符，实际是 {actual}，已照样读取。",
        "The content is {actual}, not what the name says; it was read.",
    ),
    "workbook_broken": _error("工作簿已损坏或不是 Excel 文件。", "The workbook is damaged or no Excel file."),
    "workbook_encrypted": _error(
        "工作簿设有打开密码，请去掉密码后再导入。", "The workbook needs a password; remove it and import again."
    ),
    "workbook_size": _error(
        "工作表过大（{cells} 个单元格，最多 {limit}）；请按学校拆分，并删除多余的空行空列。",
        "The sheet is too large ({cells} cells, at most {limit}); split it by school, delete empty rows and columns.",
    ),
    "sheet_skipped": _notice("工作表中没有名册表头，已跳过。", "The sheet has no roster header and was skipped."),
    "ragged": _error(
        "该行有 {found} 列，表头有 {expected} 列，未导入。",
        "The row has {found} columns, the header {expected}; it is not taken over.",
    ),
    "header_missing": _error("没有表头行。", "There is no header row."),
    "header_duplicate": _error(
        "表头“{value}”出现两次，无法判断以哪一列为准，文件未读取。",
        "The header “{value}” stands twice, it cannot be known which column counts; the file was not read.",
    ),
    "header_unknown": _warning(
        "不认识第 {place} 列“{value}”，已忽略。", "Column {place} “{value}” is not known and was ignored."
    ),
    "header_misspelt": _warning(
        "不认识的列“{value}”，已忽略；是否应为“{suggestion}”？",
        "The column “{value}” is not known and was ignored; should it be “{suggestion}”?",
    ),
    "header_case": _warning("表头应为“{expected}”，已照样读取。", "The header should be “{expected}”; it was read."),
    "header_order": _notice(
        "列的顺序与标准不同，已按表头读取。", "The columns are not in the standard's order; read by name."
    ),
    "column_missing": _error(
        "缺少必需的列“{expected}”，文件未读取。", "The required column “{expected}” is missing; the file was not read."
    ),
    "column_wanted": _warning("标准要求有“{expected}”列。", "The standard requires the column “{expected}”."),
    "line_break": _notice("单元格内有换行，已改为空格。", "A field has a line break, replaced by a space."),
}

_VALUE = {
    "value_missing": _error("必填项为空，该行未导入。", "A required value is empty; the row is not taken over."),
    "value_wanted": _warning("标准要求填写此项。", "The standard requires a value here."),
    "value_null": _notice("写着 NULL，按空处理。", "It says NULL and is taken as empty."),
    "apostrophe": _notice("开头的撇号已去掉。", "The leading apostrophe was removed."),
    "formula_text": _notice('="…" 的外壳已去掉。', 'The wrapping ="…" was removed.'),
    "formula": _error(
        "单元格是公式，不会计算；该行未导入，请粘贴为数值。",
        "The cell is a formula, which is never run; the row is not taken over, paste it as a value.",
    ),
    "formulas": _warning(
        "工作表含有 {count} 个公式，只取其保存的结果；请核对，最好粘贴为数值。",
        "The sheet has {count} formulas, of which only the stored results are read; check them, or paste as values.",
    ),
    "full_width": _notice("全角数字或字母已改为半角。", "Full-width digits or letters were made half-width."),
    "name_spaces": _notice("姓名中的空格已去掉。", "Spaces inside the name were removed."),
    "enum_case": _warning(
        "应写作“{expected}”（区分大小写），已照样读取。", "It should be “{expected}” (letter case); it was read."
    ),
    "enum_unknown": _warning(
        "不认识的值“{value}”，可用：{expected}。", "The value “{value}” is not known; use: {expected}."
    ),
    "label_unknown": _warning(
        "不认识的选项“{value}”，可用：{expected}。", "The option “{value}” is not known; use: {expected}."
    ),
    "boolean_unknown": _warning("应为 true 或 false，而不是“{value}”。", "It should be true or false, not “{value}”."),
    "integer_unknown": _warning("应为整数，而不是“{value}”。", "It should be a whole number, not “{value}”."),
    "date_unknown": _warning("“{value}”不是日期，应为 YYYY-MM-DD。", "“{value}” is no date; use YYYY-MM-DD."),
    "date_ambiguous": _warning(
        "“{value}”分不清日和月，请用 YYYY-MM-DD。", "In “{value}” day and month cannot be told apart; use YYYY-MM-DD."
    ),
    "date_compact": _notice(
        "日期写作 YYYYMMDD，已读取；标准为 YYYY-MM-DD。",
        "The date is YYYYMMDD and was read; the standard is YYYY-MM-DD.",
    ),
    "date_slashed": _notice(
        "日期写作 YYYY/M/D，已读取；标准为 YYYY-MM-DD。",
        "The date is YYYY/M/D and was read; the standard is YYYY-MM-DD.",
    ),
    "date_serial": _notice(
        "日期是 Excel 的序号，已换算；请把单元格设为日期或文本。",
        "The date is an Excel serial number and was converted; format the cell as a date or text.",
    ),
    "date_time": _notice("日期带有时间，只取日期。", "The date carries a time; only the date is taken."),
    "period_reversed": _error(
        "结束日期早于开始日期，该行未导入。", "It ends before it begins; the row is not taken over."
    ),
    "number_scientific": _error(
        "Excel 把长号码变成了科学计数法，末位已丢失，该行未导入；请把该列设为文本后重新填写。",
        "Excel made the long number 1.23E+17 and lost its last digits; the row is not taken over. "
        "Make the column text and fill it in again.",
    ),
    "id_number_lowercase": _notice(
        "身份证号末位的小写 x 已改为大写。", "The lower-case x of the identity number was made upper-case."
    ),
    "id_number_invalid": _warning(
        "身份证件号格式不对，未采用该号码。",
        "The identity number is not of the right form; the number was not taken over.",
    ),
    "id_number_check": _warning(
        "身份证号校验码不符（GB 11643），可能抄错，未采用该号码。",
        "The check digit of the identity number is wrong (GB 11643), perhaps a slip; the number was not taken over.",
    ),
    "id_number_old": _warning(
        "15 位旧身份证号，请换成 18 位。", "An old identity number of 15 digits; replace it by the one of 18."
    ),
    "id_number_birth": _warning(
        "出生日期与身份证号不一致，以出生日期栏为准，请核对。",
        "The birth date differs from the identity number; the birth date column was taken, check it.",
    ),
    "id_number_duplicate": _warning(
        "与第 {first} 行的人身份证件号相同。", "It has the same identity number as the person in row {first}."
    ),
    "username_duplicate": _warning(
        "与第 {first} 行的人用户名相同。", "It has the same username as the person in row {first}."
    ),
    "phone_invalid": _warning(
        "电话号码格式不对，未采用。", "The phone number is not of the right form; it was not taken over."
    ),
    "email_invalid": _warning(
        "电子邮箱格式不对，未采用。", "The e-mail address is not of the right form; it was not taken over."
    ),
    "school_code_invalid": _warning("学校标识码应为 10 位数字。", "The school code (学校标识码) has ten digits."),
    "password_ignored": _notice(
        "密码列不读取、不保存；请勿在名册中传送密码。",
        "The password column is neither read nor kept; do not send passwords in rosters.",
    ),
}

_RELATION = {
    "duplicate_id": _error(
        "标识与第 {first} 行重复，该行未导入。", "The id is the same as in row {first}; the row is not taken over."
    ),
    "reference_unknown": _error(
        "{target}“{value}”不在名册中，该行未导入。",
        "The {target} “{value}” is not in the roster; the row is not taken over.",
    ),
    "reference_dropped": _warning(
        "{target}“{value}”不在名册中，已去掉该引用。",
        "The {target} “{value}” is not in the roster; the reference was dropped.",
    ),
    "org_cycle": _warning(
        "上级机构成环，已去掉该上级。", "The parent organisations form a circle; this parent was dropped."
    ),
    "school_mismatch": _warning(
        "学校与班级所属学校不一致，以班级为准。", "The school is not the class's school; the class's was taken."
    ),
    "person_without_role": _warning("此人没有任何角色。", "The person has no role."),
    "role_primary_missing": _warning("此人没有主要角色（primary）。", "The person has no primary role."),
    "role_primary_many": _warning("此人有 {count} 个主要角色（primary）。", "The person has {count} primary roles."),
    "role_extended": _notice(
        "“{value}”没有对应的标准角色，记为 {expected}。",
        "“{value}” has no counterpart in the standard; it becomes {expected}.",
    ),
    "guardian_role": _warning(
        "关系的一方必须是学生，另一方必须是家长、监护人或亲属；与“{value}”的关系未建立。",
        "One side must be a student and the other a parent, guardian or relative; the link to “{value}” was not made.",
    ),
    "guardian_self": _warning(
        "不能是自己的监护人，关系未建立。", "Nobody is their own guardian; the link was not made."
    ),
    "guardian_many": _warning(
        "该学生有 {count} 位监护人，超过 5 位，请核对是否混入了紧急联系人。",
        "The student has {count} guardians, more than 5; check for mere emergency contacts.",
    ),
    "guardian_list": _warning(
        "列表长度与 agentSourcedIds 不同，未采用。",
        "The list is not as long as agentSourcedIds and was not taken over.",
    ),
    "care_list": _warning(
        "列表长度与 metadata.careCategories 不同，未采用。",
        "The list is not as long as metadata.careCategories and was not taken over.",
    ),
    "care_held": _warning(
        "关爱类别无法读取：已有的关爱类别保持不变，没有新增。",
        "The care categories cannot be read: those known already stay as they are, and none was added.",
    ),
    "guardian_incomplete": _warning(
        "家庭成员没有姓名，未导入该成员。", "The family member has no name and was not taken over."
    ),
}

_MANIFEST = {
    "manifest_missing": _warning(
        "没有 manifest.csv，按增量（delta）读取：不会结束任何记录。",
        "There is no manifest.csv; read as a delta: nothing will be ended.",
    ),
    "manifest_key": _warning(
        "清单项“{value}”缺失、重复或不认识。", "The manifest entry “{value}” is missing, repeated or unknown."
    ),
    "manifest_value": _warning("应为 {expected}，而不是“{value}”。", "It should be {expected}, not “{value}”."),
    "manifest_version": _warning(
        "版本“{value}”不认识，按 {expected} 读取。", "The version “{value}” is not known; read as {expected}."
    ),
    "manifest_absent": _error(
        "清单声明该文件不存在（absent），却有此文件；未读取，请改正清单。",
        "The manifest declares the file absent, yet it is there; it was not read, correct the manifest.",
    ),
    "manifest_mixed": _warning(
        "有的文件是全量（bulk），有的是增量（delta）；全部按增量读取。",
        "Some files are bulk and some delta; all were read as a delta.",
    ),
    "status_in_bulk": _warning("全量文件的 status 应为空。", "In a bulk file, status should be blank."),
    "status_missing": _warning(
        "增量文件的 status 不应为空，按 active 读取。", "In a delta file, status must not be blank; read as active."
    ),
}

CATALOGUE: Mapping[str, Entry] = {
    **_PACKAGE,
    **_ENCODING,
    **_TABLE,
    **_VALUE,
    **_RELATION,
    **_MANIFEST,
    "more": Entry(
        "notice",
        Text(
            zh="同类问题还有 {count} 处，不再逐条列出。",
            en="There are {count} more of this kind, not listed one by one.",
        ),
    ),
}
