"""What an example does with a record that is there, is not in order, or cannot be written."""

from contract import trade
from scripted import STATE, Scripted, answered, recorded
from trial import EXIT, Trial, check

SUCCEEDED = answered(trade.TRADE_STATE_SUCCEEDED)
CASES = {}


def case(function):
    """Enters a case under its name. In none of these may a call be made, but in the last."""

    def silent(trial: Trial) -> None:
        with Scripted(trial, [SUCCEEDED], [SUCCEEDED], called_before=True) as server:
            function(trial, server.address)
            check(not server.calls, f"{[call.rpc for call in server.calls]} came")

    CASES[function.__name__.replace("_", " ")] = silent
    return function


@case
def a_done_record_is_told_again_and_not_sent(trial: Trial, server: str) -> None:
    trial.write("DONE")
    trial.left(trial.run(server), "DONE")


@case
def a_declined_record_is_told_again_and_not_sent(trial: Trial, server: str) -> None:
    trial.write("DECLINED")
    trial.left(trial.run(server), "DECLINED")


@case
def a_number_of_other_content_is_refused(trial: Trial, server: str) -> None:
    trial.write("PENDING")
    trial.refused(trial.run(server, *trial.flags(amount=trial.amount + 1)), 64)
    check(trial.outcome() == "PENDING", "the record was changed")


@case
def a_store_that_cannot_be_written(trial: Trial, server: str) -> None:
    trial.store.rmdir()
    trial.store.write_text("a file where a folder should be")
    trial.refused(trial.run(server))


@case
def a_record_that_is_cut(trial: Trial, server: str) -> None:
    trial.write("PENDING")
    whole = trial.file().read_text()
    trial.file().write_text(whole[: len(whole) // 2])
    run = trial.run(server)
    trial.refused(run)
    check(trial.file().name in run.err, f"stderr does not name the file: {run.err[-300:]}")


@case
def a_record_that_is_cut_is_not_passed_over_by_resume(trial: Trial, server: str) -> None:
    trial.file().write_text('{"outcome": "PEND')
    run = trial.resume(server)
    trial.refused(run)
    check(trial.file().name in run.err, f"stderr does not name the file: {run.err[-300:]}")


@case
def a_copy_of_a_record_is_not_worked_on(trial: Trial, server: str) -> None:
    trial.write("PENDING")
    whole = trial.file().read_text()
    trial.write("DECLINED")
    (trial.store / "copy.json").write_text(whole)
    trial.refused(trial.resume(server), EXIT["PENDING"], 64)
    check(trial.outcome() == "DECLINED", "the record itself was changed")


@case
def a_record_with_another_name_is_not_passed_over_by_resume(trial: Trial, server: str) -> None:
    names = {"R/1": "R%2f1.json", "R+1": "R+1.json", "R.1": "R.1.json"}
    for trial.number, name in names.items():
        trial.write("PENDING")
        trial.file().rename(trial.store / name)
        trial.refused(trial.resume(server), EXIT["PENDING"], 64)
        (trial.store / name).unlink()


@case
def an_amount_that_is_not_whole_is_wrong_usage(trial: Trial, server: str) -> None:
    trial.refused(trial.run(server, *trial.flags(amount="10.7")), 64)
    check(not trial.file().exists(), "a record was written")


@case
def flags_that_are_missing_are_wrong_usage(trial: Trial, server: str) -> None:
    trial.refused(trial.run(server, "--number", trial.number), 64)
    check(not trial.file().exists(), "a record was written")


@case
def a_store_without_pending_records_is_done(trial: Trial, server: str) -> None:
    trial.write("DECLINED")
    run = trial.resume(server)
    check(run.status == 0 and not run.out, f"exit status {run.status}, stdout {run.out}")


def resume_works_on_pending_records_alone(trial: Trial) -> None:
    trial.write("PENDING")
    trial.write("DONE", "R-OTHER-1")
    trial.write("DECLINED", "R-OTHER-2")
    settled = recorded(trial, STATE.REFUND_RECORD_STATE_SETTLED, trade.TRADE_STATE_FAILED)
    with Scripted(trial, [], [settled], called_before=True) as server:
        trial.left(trial.resume(server.address), "DECLINED")
    check(trial.outcome("R-OTHER-1") == "DONE", "another record was changed")


def a_number_with_odd_characters_has_a_file_of_its_own(trial: Trial) -> None:
    trial.number = "R/1.%~" + trial.number
    with Scripted(trial, [SUCCEEDED], []) as server:
        trial.left(trial.run(server.address), "DONE")


for function in [
    resume_works_on_pending_records_alone, a_number_with_odd_characters_has_a_file_of_its_own,
]:
    CASES[function.__name__.replace("_", " ")] = function
