"""PDF documents made in memory."""

__all__ = ["make_pdf"]


def make_pdf(title: str, *paragraphs: str) -> bytes:
    """Return a PDF of one page; it takes some milliseconds, so call it in a thread. Needs the extra `demo`."""
    from fpdf import FPDF

    document = FPDF()
    document.set_title(title)
    document.add_page()
    document.set_font("Helvetica", style="B", size=24)
    document.cell(text=title, new_x="LMARGIN", new_y="NEXT", h=16)
    document.set_font("Helvetica", size=12)
    for paragraph in paragraphs:
        document.multi_cell(w=0, h=7, text=paragraph, new_x="LMARGIN", new_y="NEXT")
    return bytes(document.output())
