"""What the log says while meetings cannot be opened."""

from __future__ import annotations

from structlog.testing import capture_logs

from bridge.calls.model import CallState
from bridge.calls.ports import ProviderFailure
from tests.support.office import Office, a_call


async def test_the_log_tells_of_an_outage_once_a_minute_and_of_each_call_that_is_given_up(
    office: Office,
) -> None:
    office.provider.failure = ProviderFailure("visio_unreachable", "is it running?", retry=True)
    await office.begin(a_call(CallState.OPENING, reference="abc"))
    with capture_logs() as first:
        due = (await office.look())["c1"]
        while due is not None:
            office.now = due
            due = (await office.look())["c1"]
    told = [entry["event"] for entry in first if entry["log_level"] != "info"]
    assert told == ["call.not_opened", "call.failed"]
    assert {entry["advice"] for entry in first if "advice" in entry} == {"is it running?"}

    await office.begin(a_call(CallState.OPENING, id="c2", started_ts=office.now))
    with capture_logs() as second:
        await office.look("c2")
    assert [entry["event"] for entry in second] == ["call.not_opened"]
