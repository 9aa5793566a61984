"""`Ledger`: who paid how much for which attempt; reserve, measure, refund."""

import json
import platform
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from time import time
from typing import Final

from fidsel.exceptions import FidselError, UsageError
from fidsel.fidelity.attempt import ENDED, Attempt, Closing, Line, Order, Payment
from fidsel.fidelity.budget import COUNTED, TOLERANCE, Budget, BudgetError, arm, counted, of_other_arms
from fidsel.fidelity.level import Fidelity, Price
from fidsel.fidelity.source import Cause, Label, LabelError
from fidsel.fidelity.store.labels import CHUNK, FAILED, MANY, LabelStore
from fidsel.fidelity.store.rows import packed_label
from fidsel.fidelity.store.schema import ELSEWHERE

IN_BUDGET: Final = f"account IN {COUNTED}"

WRITE: Final = """INSERT INTO ledger (time, account, kind, amount, seconds, attempt, note)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""


class Ledger:
    """The money side of a label store.

    A label is paid in two steps: `reserve` opens an attempt; `settle_all` stores the label, or why there is
    none, with its charge in one transaction and frees what was reserved beyond it. An attempt whose driver
    died is closed by `recover`.

    Parameters
    ----------
    store : open label store; the lines live in it and are never changed or removed.
    """

    def __init__(self, store: LabelStore) -> None:
        self.store = store

    def reserve(
        self, account: str, fidelity: Fidelity, orders: Sequence[Order], budget: Budget | None = None
    ) -> list[Attempt]:
        """Open an attempt for every order, or none.

        Raises `BudgetError` where the account counts against the budget and the costs would pass its total;
        `UsageError` where a frame is labelled or under way at this fidelity, or not in the store.
        """
        cost, now = sum(order.cost for order in orders), time()
        settings = json.dumps(dict(fidelity.source.settings()), sort_keys=True)
        with self.store.transaction() as connection:
            if cost > 0 and counted(account) and budget is not None:
                spent, reserved = self.spent(), self.reserved()
                if not budget.pays(spent + reserved + cost):
                    raise BudgetError(budget, spent, reserved, cost)
            connection.execute(
                "INSERT OR IGNORE INTO fidelities VALUES (?, ?, ?)", [fidelity.key, fidelity.name, settings]
            )
            return [self._open(connection, account, fidelity, order, now) for order in orders]

    @staticmethod
    def _open(
        connection: sqlite3.Connection, account: str, fidelity: Fidelity, order: Order, now: float
    ) -> Attempt:
        label = (order.frame_id, fidelity.key)
        if connection.execute("SELECT 1 FROM labels WHERE frame_id = ? AND key = ?", label).fetchone():
            raise UsageError(f"frame {order.frame_id} is labelled at {fidelity.name} already")
        price, threads = fidelity.price, fidelity.threads
        terms = (order.predicted, order.cost, price.value, price.per, threads, order.time_limit, now)
        try:
            row = connection.execute(
                """INSERT INTO attempts (frame_id, key, account, status, predicted, reserved, price, per,
                threads, time_limit, started) VALUES (?, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?)""",
                (*label, account, *terms),
            ).lastrowid
        except sqlite3.IntegrityError as error:
            raise UsageError(
                f"frame {order.frame_id} must be in the store and not under way at {fidelity.name}: add it "
                "with `add_frames`, close the attempts of a driver that died with `recover`"
            ) from error
        limits = (order.time_limit, order.cpu_limit)
        return Attempt(int(row or 0), order.frame_id, account, price, threads, *limits)

    def settle_all(
        self, results: Iterable[tuple[Attempt, Label | LabelError]], again: Collection[int] = ()
    ) -> float:
        """Store labels, failures and their costs in one transaction; return the sum of the costs.

        Parameters
        ----------
        results : attempts and what came of them; `seconds` of each is what it took on its price's clock.
        again : attempts that failed, and whose frames may be tried again all the same.
        """
        closings, labels = [], []
        for attempt, result in results:
            if isinstance(result, LabelError):
                retry = attempt.id in again or result.cause == "environment"
                closings.append(
                    Closing(attempt, result.cause, result.seconds, error=str(result), again=retry)
                )
                continue
            host = result.provenance.get("host")
            closings.append(Closing(attempt, None, result.seconds, None if host is None else str(host)))
            labels.append((attempt.id, *packed_label(result)))
        return self._close(closings, labels)

    def release(self, attempts: Iterable[Attempt]) -> None:
        """Close attempts that never started; nothing is charged."""
        self._close([Closing(attempt, released=True) for attempt in attempts])

    def cancel(self, attempts: Iterable[Attempt], usage: Mapping[int, float]) -> float:
        """Close attempts stopped on the way and charge what they used; return what they cost.

        Parameters
        ----------
        attempts : those that were given to an engine.
        usage : core-seconds of those that had begun, by id; the others cost nothing.
        """
        return self._unfinished(attempts, "cancelled", usage, "stopped")

    def recover(self, usage: Mapping[int, float] | None = None) -> tuple[str, ...]:
        """Close as "lost" every attempt that a dead driver left open; return their frame ids.

        Parameters
        ----------
        usage : core-seconds that were last seen of each, by id (see `running.RunningFile`); one that
            was never seen running costs nothing.
        """
        attempts = self.under_way()
        self._unfinished(attempts, "lost", usage or {}, "the driver died before the result was stored")
        return tuple(attempt.frame_id for attempt in attempts)

    def _unfinished(
        self, attempts: Iterable[Attempt], cause: Cause, usage: Mapping[int, float], why: str
    ) -> float:
        return self._close([Closing(a, cause, usage.get(a.id, 0.0), error=why) for a in attempts])

    def try_again(self, ids: Collection[int], asked: bool = False) -> int:
        """Let the frames of failed attempts be tried once more; return for how many attempts that is so.

        Parameters
        ----------
        asked : whether a person asks for it; else an attempt before which its frame has been tried again
            already stays as it is, so that nothing is tried for ever.
        """
        same = "SELECT 1 FROM attempts b WHERE b.key = attempts.key AND b.frame_id = attempts.frame_id"
        which = (
            f"EXISTS ({same} AND b.id = ?)"
            if asked
            else f"""id = ? AND NOT EXISTS
            ({same} AND b.id < attempts.id AND b.retry = 1)"""
        )
        sql = f"UPDATE attempts SET retry = 1 WHERE status IN {FAILED} AND retry = 0 AND {which}"
        with self.store.transaction() as connection:
            connection.executemany(sql, [(number,) for number in ids])
        asked_for = "SELECT retry FROM attempts WHERE id = ?"
        return sum(self.store.query(asked_for, [number])[0][0] for number in ids)

    def under_way(self) -> tuple[Attempt, ...]:
        """Return the attempts that are open, of labels that fidsel computes."""
        return self._attempts(f"key NOT IN ({ELSEWHERE})")

    def awaited(self, key: str | None = None) -> tuple[Attempt, ...]:
        """Return the attempts that are open, of labels that other people compute.

        They stay open, with what is reserved for them, while no driver works.

        Parameters
        ----------
        key : of a level; None = all.
        """
        return self._attempts(f"key IN ({ELSEWHERE})") if key is None else self._attempts("key = ?", key)

    def _attempts(self, where: str, *parameters: str) -> tuple[Attempt, ...]:
        rows = self.store.query(
            f"""SELECT id, frame_id, account, price, per, threads, time_limit
            FROM attempts WHERE status = 'open' AND {where} ORDER BY id""",
            parameters,
        )
        return tuple(
            Attempt(number, frame_id, account, Price(value, per), *terms)
            for number, frame_id, account, value, per, *terms in rows
        )

    def _close(
        self,
        closings: Sequence[Closing],
        labels: Sequence[tuple[int, float, bytes | None, str]] = (),
    ) -> float:
        """End attempts, store their labels and charge for them in one transaction; return what they cost.

        Parameters
        ----------
        labels : id of the attempt, energy in eV, packed forces and provenance as JSON of each label.
        """
        if not closings:
            return 0.0
        now, here, versions = time(), platform.node(), _versions()
        charged = [closing for closing in closings if not closing.released]
        with self.store.transaction() as connection:
            changed = connection.executemany(
                """UPDATE attempts
                SET status = ?, cause = ?, retry = ?, finished = ?, seconds = ?, host = ?, versions = ?,
                error = ? WHERE id = ? AND status = 'open'""",
                [
                    (
                        c.status,
                        c.cause,
                        c.again,
                        now,
                        c.seconds,
                        c.host or here,
                        versions,
                        c.error,
                        c.attempt.id,
                    )
                    for c in closings
                ],
            ).rowcount
            if changed != len(closings):
                raise FidselError(f"{len(closings) - changed} of {len(closings)} attempts were closed before")
            connection.executemany(
                """INSERT INTO labels (key, frame_id, attempt, energy, forces, provenance)
                SELECT key, frame_id, id, ?2, ?3, ?4 FROM attempts WHERE id = ?1""",
                labels,
            )
            lines = [
                (now, c.attempt.account, c.kind, c.charge, c.seconds, c.attempt.id, c.error or "")
                for c in charged
            ]
            connection.executemany(WRITE, lines)
        self.store.spool.remove([closing.attempt.id for closing in closings])
        return sum(closing.charge for closing in charged)

    def share(
        self, account: str, fidelity: Fidelity, ids: Sequence[str], budget: Budget | None = None
    ) -> dict[str, float | None]:
        """Charge an account for labels, or failed attempts, that another arm of a comparison has paid for.

        An arm is compared with others by what it would have spent alone. So a label that one arm bought and
        another uses too counts at its full price in both, though it was computed and paid for only once
        (`paid` counts it once). The accounts of the budget are one arm, every other account is an arm of its
        own. What an arm has paid for before costs it nothing.

        Returns
        -------
        dict
            cost of each of the ids, None where the budget refused it.
        """
        free = self.remaining(budget) if counted(account) and budget is not None else float("inf")
        slack = 0.0 if budget is None else budget.total * TOLERANCE
        payments, now = self._payments(fidelity, self._of_others(account, fidelity, ids)), time()
        costs: dict[str, float | None] = {}
        lines = []
        for frame_id in ids:
            payment = payments.get(frame_id)
            if payment is None or arm(account) in payment.arms:
                costs[frame_id] = 0.0
            elif payment.amount > max(free + slack, 0.0):
                costs[frame_id] = None
            else:
                costs[frame_id] = payment.amount
                free -= payment.amount
                lines.append((now, account, "shared", payment.amount, payment.seconds, payment.attempt, ""))
        with self.store.transaction() as connection:
            connection.executemany(WRITE, lines)
        return costs

    def _of_others(self, account: str, fidelity: Fidelity, ids: Sequence[str]) -> Sequence[str]:
        """Return those of the ids that another arm has paid for; all where they are few.

        CROSS JOIN has SQLite begin with the lines of the others, which are few as a rule.
        """
        if len(ids) <= MANY:
            return ids
        rows = self.store.query(
            f"""SELECT a.frame_id FROM ledger l CROSS JOIN attempts a ON a.id = l.attempt
            WHERE l.account IN {of_other_arms(account)} AND a.key = ?""",
            [fidelity.key],
        )
        paid = {row[0] for row in rows}
        return [frame_id for frame_id in ids if frame_id in paid]

    def _payments(self, fidelity: Fidelity, ids: Sequence[str]) -> dict[str, Payment]:
        """Return what was paid for the last attempt at each of the ids that ended."""
        payments: dict[str, Payment] = {}
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            rows = self.store.query(
                f"""SELECT a.frame_id, a.id, l.kind, l.amount, l.seconds, l.account
                FROM attempts a JOIN ledger l ON l.attempt = a.id
                WHERE a.key = ? AND a.frame_id IN ({",".join("?" * len(chunk))})
                AND l.kind IN {("shared", *ENDED)} ORDER BY l.id""",
                [fidelity.key, *chunk],
            )
            for frame_id, attempt, kind, amount, seconds, account in rows:
                before = payments.get(frame_id)
                arms = (before.arms if before and kind == "shared" else frozenset()) | {arm(account)}
                payments[frame_id] = Payment(attempt, amount, seconds, arms)
        return payments

    def charge(self, account: str, amount: float, note: str, seconds: float = 0.0) -> None:
        """Write down something other than a label, e.g. training time.

        Parameters
        ----------
        amount : ≥ 0, base units of the budget.
        seconds : ≥ 0, core-seconds.
        """
        counted(account)
        if not (0 <= amount < float("inf") and 0 <= seconds < float("inf")):
            raise UsageError(f"a charge is an amount ≥ 0 and seconds ≥ 0, got {amount} and {seconds}")
        with self.store.transaction() as connection:
            connection.execute(WRITE, [time(), account, "charge", amount, seconds, None, note])

    def spent(self, account: str | None = None) -> float:
        """Return the sum over an account's lines; None = all accounts the budget pays for."""
        if account is None:
            return self._sum(f"totals WHERE {IN_BUDGET}", "amount")
        counted(account)
        return self._sum("totals WHERE account = ?", "amount", account)

    def paid(self) -> float:
        """Return the money that really flowed, on all accounts: every line that is not "shared"."""
        return self._sum("totals WHERE kind != 'shared'", "amount")

    def reserved(self) -> float:
        """Return what is promised to labels under way on accounts the budget pays for."""
        return self._sum(f"attempts WHERE status = 'open' AND {IN_BUDGET}", "reserved")

    def expected(self) -> float:
        """Return what labels under way will cost that the budget pays for: as declared, or as predicted."""
        declared = "CASE WHEN per = 'label' THEN price ELSE min(reserved, price * predicted) END"
        likely = f"CASE WHEN predicted IS NULL AND per != 'label' THEN reserved ELSE {declared} END"
        return self._sum(f"attempts WHERE status = 'open' AND {IN_BUDGET}", likely)

    def remaining(self, budget: Budget) -> float:
        """Return what can still be reserved; below zero where the budget was passed."""
        return budget.total - self.spent() - self.reserved()

    def _sum(self, where: str, column: str, *parameters: str) -> float:
        return float(self.store.query(f"SELECT total({column}) FROM {where}", parameters)[0][0])

    def lines(self, account: str | None = None) -> tuple[Line, ...]:
        """Return the lines of one account, or all, oldest first."""
        where = "" if account is None else "WHERE l.account = ?"
        rows = self.store.query(
            f"""SELECT l.time, l.account, l.kind, l.amount, l.seconds, a.frame_id, a.key, l.note
            FROM ledger l LEFT JOIN attempts a ON a.id = l.attempt {where} ORDER BY l.id""",
            [] if account is None else [account],
        )
        return tuple(Line(*row) for row in rows)

    def wasted(self, keys: Sequence[str] | None = None) -> float:
        """Return what the budget paid for attempts that gave no label, or one of a level given up since.

        Parameters
        ----------
        keys : of the levels that are still in use; None = all that labels were bought at.
        """
        lost = self._sum(f"totals WHERE {IN_BUDGET} AND kind NOT IN ('label', 'shared')", "amount")
        if keys is None:
            return lost
        known = {row[0] for row in self.store.query("SELECT key FROM fidelities")}
        for key in known.difference(keys):
            lost += self._sum(
                f"""ledger JOIN attempts a ON a.id = ledger.attempt WHERE a.key = ?
                AND ledger.{IN_BUDGET} AND kind IN ('label', 'shared')""",
                "amount",
                key,
            )
        return lost

    def spent_by_frame(self) -> Mapping[str, float]:
        """Return what the budget has paid for each frame, base units."""
        return dict(
            self.store.query(
                f"""SELECT a.frame_id, total(l.amount) FROM ledger l JOIN attempts a ON a.id = l.attempt
                WHERE l.{IN_BUDGET} GROUP BY a.frame_id"""
            )
        )

    def accounts(self) -> Mapping[str, float]:
        """Return what each account that has lines has spent."""
        return dict(self.store.query("SELECT account, total(amount) FROM totals GROUP BY account"))


@cache
def _versions() -> str:
    return json.dumps({"fidsel": version("fidsel"), "python": platform.python_version()})
