"""`gongyu demo`: see it all work, then use it."""

import time
from pathlib import Path

import click
import msgspec
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gongyu.cli.frame import configuration, console, run, say, table
from gongyu.cli.generate import generate
from gongyu.cli.serve import serve_until_stopped
from gongyu.database.data_folder import serve_lock
from gongyu.demo import DEMO_DISTRICTS, DemoDistrict, play
from gongyu.platform import Platform
from gongyu.text import Text

__all__ = ["demo"]


@click.group(invoke_without_command=True)
@click.option("--no-serve", is_flag=True, help="演示后结束 · end after playing")
@click.option(
    "--json", "target", type=click.Path(path_type=Path), help="把最后的数字写入文件 · write the closing figures"
)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64))
@click.pass_context
def demo(ctx: click.Context, target: Path | None, port: int, workers: int, *, no_serve: bool) -> None:
    """两个区县、全部插件，演示后提供服务 · Two districts, every plugin, played and served."""
    if ctx.invoked_subcommand is not None:
        return
    started = time.monotonic()
    config = configuration()

    async def work(platform: Platform) -> list[DemoDistrict]:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=console(), transient=True) as progress:
            progress.add_task("、".join(DEMO_DISTRICTS.values()))
            return [district async for district in play(platform)]

    districts = run(work)
    seconds = round(time.monotonic() - started, 1)
    for district in districts:
        _show(district, port)
    if target is not None:
        figures = {"seconds": seconds, "districts": districts}
        target.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    say(Text(zh="用时 {s} 秒", en="{s} s").format(s=seconds))
    if no_serve:
        return
    say(
        Text(
            zh="现在提供服务：http://127.0.0.1:{p}/docs （Ctrl-C 停止）",
            en="serving http://127.0.0.1:{p}/docs (Ctrl-C stops)",
        ).format(p=port)
    )
    with serve_lock(config.data):
        serve_until_stopped(config, host="127.0.0.1", port=port, workers=workers)


demo.add_command(generate)


def _show(district: DemoDistrict, port: int) -> None:
    click.secho(f"\n{district.name} {district.slug}: {', '.join(district.plugins)}", bold=True)
    if district.figures:
        heads = [Text(zh="部分", en="part"), Text(zh="发生了什么", en="what happened"), Text(zh="数量", en="figure")]
        table(heads, [(figure.plugin, figure.title, figure.figure) for figure in district.figures])
    else:
        say(Text(zh="已在，原样保留", en="there already, left as it is"))
    for hook, error in district.failures.items():
        click.secho(f"✗ {hook}: {error}", fg="red")
    click.echo()
    for one in district.sign_ins:  # not in a table: a token folded at the edge of a terminal cannot be copied
        click.echo(f"{one.role:<22} {one.token}  {one.person}")
    token = district.sign_ins[0].token if district.sign_ins else "…"
    click.echo(f"curl -H 'Authorization: Bearer {token}' http://127.0.0.1:{port}/api/v1/{district.slug}/me")
