#!/usr/bin/env python3
"""The page in headless Chromium, from a plain file server: it writes what the module writes, and shows which rows were read.

page_test.py SITE [--screenshot FILE]: SITE is the folder of the built page.
"""
import argparse
import functools
import http.server
import pathlib
import sys
import threading
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

arguments = None


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    # What a server without a table of types sends: the page must not depend on a type for .wasm.
    extensions_map = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", "": "application/octet-stream"}

    def log_message(self, *_):
        pass


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        site = pathlib.Path(arguments.site).resolve()
        # The page in a subfolder: it may name nothing by an absolute path.
        handler = functools.partial(QuietHandler, directory=str(site.parent))
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.address = f"http://127.0.0.1:{cls.server.server_port}/{site.name}/index.html"
        options = webdriver.ChromeOptions()
        # No sandbox: root has none, and containers lack what it needs.
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                         "--window-size=1240,1240", "--hide-scrollbars"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        cls.browser = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()
        cls.server.shutdown()

    def state(self):
        return self.browser.execute_script("return document.body.dataset.state")

    def wait_for(self, condition, seconds=120):
        def met(_):
            self.assertNotEqual(self.state(), "failed", self.browser.find_element(By.ID, "message").text)
            return condition()
        WebDriverWait(self.browser, seconds, poll_frequency=0.1).until(met)

    def open(self, query=""):
        self.browser.get_log("browser")  # of the page before: forgotten
        self.browser.get(self.address + query)

    # What a model has written; without the prompt.
    def written(self, model):
        return self.browser.execute_script(
            "return [...document.querySelectorAll(`#${arguments[0]} .text span:not(.given)`)].map(s => s.textContent).join('')",
            model)

    def write(self, prompt, temperature, count):
        self.wait_for(lambda: self.state() != "loading")
        self.browser.execute_script(
            "for (const [id, value] of Object.entries(arguments[0])) document.getElementById(id).value = value",
            {"prompt": prompt, "temperature": temperature, "pace": 10})
        self.browser.find_element(By.ID, "write").click()
        self.wait_for(lambda: len(self.written("lookup")) >= count)
        self.browser.find_element(By.ID, "pause").click()
        self.wait_for(lambda: self.state() == "paused")

    def assert_no_errors(self):
        self.assertEqual([entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"], [])

    def test_writes_what_the_models_write(self):
        self.open()
        self.write("In the beginning ", 0, 120)
        for model in ("lookup", "dense"):
            self.assertEqual(self.written(model)[:100], expected_text(self.browser, model, "In the beginning ", 100))
            speed = self.browser.find_element(By.CSS_SELECTOR, f"#{model} .speed b").text.replace(",", "")
            self.assertGreater(int(speed), 0)
        self.assert_no_errors()

    def test_shows_the_rows_that_were_read(self):
        self.open()
        self.write("And God said", 0.7, 60)
        # Pointing at a byte draws its rows in white, one a table, and nothing else in white.
        letters = self.browser.find_elements(By.CSS_SELECTOR, "#lookup .text span:not(.given)")
        pictures = []
        for index in (10, 11):
            self.browser.execute_script(
                "arguments[0].dispatchEvent(new PointerEvent('pointerover', {bubbles: true}))", letters[index])
            pictures.append(self.white_cells())
        for picture in pictures:
            self.assertEqual(len(picture), 2)
            for tables in picture:
                self.assertEqual([len(rows) for rows in tables], [1] * 64)
        self.assertNotEqual(pictures[0], pictures[1])
        self.assert_no_errors()

    # The white cells of each layer's picture: of each table, which rows.
    def white_cells(self):
        return self.browser.execute_script("""
            return [...document.querySelectorAll("#layers canvas")].map(canvas => {
              const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
              return Array.from({ length: canvas.height }, (_, table) =>
                Array.from({ length: canvas.width }, (_, row) => row)
                  .filter(row => [0, 1, 2].every(k => data[4 * (table * canvas.width + row) + k] === 255)));
            });""")

    def test_other_table_types(self):
        self.open()
        self.wait_for(lambda: self.state() == "writing")
        for table_type in ("i8", "bf16"):
            Select(self.browser.find_element(By.ID, "tableType")).select_by_visible_text(table_type)
            self.write("Thou shalt", 0, 20)
            self.assertEqual(self.written("lookup")[:10],
                             expected_text(self.browser, "lookup", "Thou shalt", 10, table_type))
        self.assert_no_errors()

    def test_says_what_is_wrong(self):
        for query, words in (("?dense=models/byte_lm_lookup.safetensors", "is not a dense model"),
                             ("?lookup=nowhere.safetensors", "nowhere.safetensors: 404"),
                             ("?lookup=page.js", "safetensors")):
            self.open(query)
            WebDriverWait(self.browser, 60).until(lambda _: self.state() == "failed")
            self.assertIn(words, self.browser.find_element(By.ID, "message").text)

    def test_screenshot(self):
        if not arguments.screenshot:
            self.skipTest("no --screenshot")
        self.open("?seed=3&bytes=320")
        self.wait_for(lambda: self.state() == "ready" and len(self.written("lookup")) == 320)
        self.browser.execute_script("document.activeElement.blur()")
        height = self.browser.execute_script("return document.documentElement.scrollHeight")
        self.browser.set_window_size(1240, height + 150)
        self.browser.save_screenshot(arguments.screenshot)


# What the module writes when nothing of the page calls it.
def expected_text(browser, model, prompt, count, table_type="f32"):
    return browser.execute_async_script("""
        const [model, prompt, count, tableType, done] = arguments;
        (async () => {
          const { ByteModel, loadModule } = await import(new URL("byte_model.js", location).href);
          const file = await (await fetch(`models/byte_lm_${model}.safetensors`)).arrayBuffer();
          const writer = new ByteModel(await loadModule(), new Uint8Array(file), { tableType });
          writer.start(prompt, { temperature: 0 });
          return String.fromCharCode(...Array.from({ length: count }, () => writer.next()));
        })().then(done, error => done(`failed: ${error}`));""", model, prompt, count, table_type)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("site")
    parser.add_argument("--screenshot")
    arguments, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
