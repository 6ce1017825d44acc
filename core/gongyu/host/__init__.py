"""The plugin host: who is installed, who is available and why not, and how hooks are called per district."""

from gongyu.host.discovery import Candidate, Refusal, find_candidates
from gongyu.host.dispatch import Dispatcher
from gongyu.host.host import Host, Plugin, StartError, load_host

__all__ = ["Candidate", "Dispatcher", "Host", "Plugin", "Refusal", "StartError", "find_candidates", "load_host"]
