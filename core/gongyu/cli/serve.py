"""`gongyu serve`: the server, with as many worker processes as wanted and a graceful stop."""

import contextlib
import os
import shutil
from collections.abc import Generator
from pathlib import Path

import click

from gongyu.cli.frame import configuration, fail, run, say
from gongyu.config import Config
from gongyu.database.data_folder import DataFolderError, serve_lock
from gongyu.logs import configure_logs
from gongyu.platform import Platform
from gongyu.text import Text
from gongyu.web.server import listen, serve_on

__all__ = ["serve", "serve_until_stopped"]


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="监听地址 · address to listen on")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="工作进程数 · processes")
def serve(host: str, port: int, workers: int) -> None:
    """启动服务，Ctrl-C 停止 · Serve until stopped."""
    config = configuration()

    async def check(platform: Platform) -> None:
        """Made ready once, before the workers: schema, keys, and errors in words instead of in every worker."""
        say(
            Text(zh="{d} 个区县，{p} 个插件", en="{d} districts, {p} plugins").format(
                d=len(platform.registry.states), p=len(platform.host.plugins)
            )
        )
        for refusal in platform.host.refused.values():
            said = Text(zh="插件 {name} 不可用：{reason}", en="plugin {name} is not available: {reason}")
            say(said.format(name=refusal.name, reason=refusal.reason), err=True)

    try:
        with serve_lock(config.data):
            run(check)
            serve_until_stopped(config, host=host, port=port, workers=workers)
    except DataFolderError as error:
        fail(error.text)


def serve_until_stopped(config: Config, *, host: str, port: int, workers: int) -> None:
    """Watch over workers in this process: they are started again when one dies, and stopped gracefully."""
    configure_logs()
    try:
        listening = listen(host, port)
    except OSError as error:
        said = Text(zh="不能监听 {host} 端口 {port}：{error}", en="cannot listen on {host} port {port}: {error}")
        fail(said.format(host=host, port=port, error=error.strerror or error))
    with listening, _metrics_folder(config.data):
        serve_on(listening, workers=workers)


@contextlib.contextmanager
def _metrics_folder(data: Path) -> Generator[None]:
    """Where the workers' counters meet; empty at every start, as prometheus_client wants it."""
    folder = data / "run" / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
