"""The screen itself: keys, and what is drawn when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.coordinate import Coordinate
from textual.events import Resize
from textual.widgets import DataTable, Footer, Input, Static

from bridge.cli.screen import views
from bridge.cli.screen.picture import Picture, TradedSymbol, WatchedSymbol
from bridge.errors import BridgeError

__all__ = ["BridgeScreen"]

_REFRESH_S = 0.25
_REST = 4.0
"""How many times as long as drawing took there is time for keys."""
_ORDERS = (
    ("symbol", lambda quote: quote.place),
    ("change", lambda quote: -(quote.rate or Decimal(0))),
    ("volume", lambda quote: -(quote.volume or Decimal(0))),
    ("quality", lambda quote: (quote.quality in ("live", "closed"), quote.place)),
)
"""What the list can be sorted by; by quality what needs attention comes first."""


class BridgeScreen(App[BridgeError | None]):
    """Prices, the book of the chosen symbol, orders and health of a running bridge.

    ``listen`` hears the broker and gives what it hears to `picture`, until it is cancelled; what it
    raises ends the screen and is its result.
    """

    CSS = """
    #head, #event { height: 1; }
    DataTable { height: 1fr; }
    #below { height: 11; border-top: solid gray; }
    #book { width: 29; padding-right: 1; }
    #orders { width: 1fr; }
    #filter { height: 1; border: none; display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("s", "sort", "sort"),
        Binding("j", "down", show=False),
        Binding("k", "up", show=False),
        Binding("escape", "all", "all", show=False),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        picture: Picture,
        listen: Callable[[], Coroutine[Any, Any, None]],
        clock: Callable[[], int],
    ) -> None:
        super().__init__()
        self._picture, self._listen, self._clock = picture, listen, clock
        self._shown: list[TradedSymbol] = []
        self._cells: dict[TradedSymbol, list[Text]] = {}
        self._wanted = ""
        self._sorted = 0

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Static(id="head")
        yield DataTable(cursor_type="row", cell_padding=0, zebra_stripes=False)
        yield Input(placeholder="symbol or name", id="filter", compact=True)
        yield Static(id="event")
        with Horizontal(id="below"):
            yield Static(id="book")
            yield Static(id="orders")
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Begin to listen and to draw."""
        table = self.query_one(DataTable)
        for column in views.COLUMNS:
            title = column.title.rjust(column.width) if column.right else column.title
            table.add_column(title, width=column.width + 1, key=column.title)
        table.focus()
        self.run_worker(self._hear(), exclusive=True)
        self._go_on()

    def _go_on(self) -> None:
        """Draw, and do so again after a while: of thousands of symbols less often."""
        began = time.monotonic()
        self.draw()
        self.set_timer(max(_REFRESH_S, _REST * (time.monotonic() - began)), self._go_on)

    async def _hear(self) -> None:
        try:
            await self._listen()
        except BridgeError as error:
            self.exit(error)
        except asyncio.CancelledError:
            raise
        else:
            self.exit()

    def on_resize(self, _: Resize) -> None:
        """Draw for the new size at once."""
        self.draw()

    def draw(self) -> None:
        """Draw what has changed."""
        # The first size is told before there is anything, and the last look comes after everything.
        if not any(table.columns for table in self.query(DataTable)):
            return
        now, picture = self._clock(), self._picture
        quotes = [
            quote
            for place in picture.places()
            if (quote := picture.quote(place, now)) is not None and self._matches(quote)
        ]
        quotes.sort(key=_ORDERS[self._sorted][1])
        self._list(quotes)
        chosen = self.chosen()
        self.query_one("#book", Static).update(
            views.book(picture.quote(chosen, now) if chosen else None)
        )
        orders = self.query_one("#orders", Static)
        orders.update(views.orders(picture, 10, orders.size.width))
        self.query_one("#event", Static).update(views.event(picture))
        self.query_one("#head", Static).update(views.headline(picture, self.size.width))

    def chosen(self) -> TradedSymbol | None:
        """Return the symbol under the cursor."""
        row = self.query_one(DataTable).cursor_row
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def _list(self, quotes: Sequence[WatchedSymbol]) -> None:
        table: DataTable[Text] = self.query_one(DataTable)
        chosen = self.chosen()
        places = [quote.place for quote in quotes]
        rows = {quote.place: views.cells(quote) for quote in quotes}
        if places != self._shown:
            table.clear()
            for place in places:
                table.add_row(*rows[place])
            if chosen in rows:
                table.move_cursor(row=places.index(chosen))
        else:
            for number, place in enumerate(places):
                before = self._cells[place]
                for column, cell in enumerate(rows[place]):
                    if cell != before[column]:
                        table.update_cell_at(Coordinate(number, column), cell)
        self._shown, self._cells = places, rows

    def _matches(self, quote: WatchedSymbol) -> bool:
        wanted = self._wanted
        return wanted in quote.place.symbol.casefold() or wanted in quote.name.casefold()

    # keys

    def action_filter(self) -> None:
        """Ask for a part of a symbol or of its name."""
        entry = self.query_one("#filter", Input)
        entry.display = True
        entry.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what matches, at every letter."""
        self._wanted = event.value.strip().casefold()
        self.draw()

    def on_input_submitted(self) -> None:
        """Go back to the list."""
        self.query_one(DataTable).focus()

    def action_all(self) -> None:
        """Show all symbols again."""
        entry = self.query_one("#filter", Input)
        entry.value, entry.display = "", False
        self.query_one(DataTable).focus()

    def action_sort(self) -> None:
        """Sort by something else."""
        self._sorted = (self._sorted + 1) % len(_ORDERS)
        self.notify(f"sorted by {_ORDERS[self._sorted][0]}", timeout=1.5)
        self.draw()

    def action_down(self) -> None:
        """Choose the next one."""
        self.query_one(DataTable).action_cursor_down()

    def action_up(self) -> None:
        """Choose the one before."""
        self.query_one(DataTable).action_cursor_up()
