// Of the page that is named, at each width: what is wider than its place, of the page itself and of its tables.
// With SCREENSHOTS=FOLDER, pictures too, in light and in dark.
import { createRequire } from 'node:module'

const { chromium } = createRequire(process.env.FOREIGN + '/')('playwright-core')
const browser = await chromium.launch({ executablePath: process.argv[2], args: ['--no-sandbox'] })
const found = {}
for (const width of process.argv.slice(4).map(Number)) {
  const page = await browser.newPage({ viewport: { width, height: 1000 } })
  await page.goto('file://' + process.argv[3])
  found[width] = await page.evaluate(() => {
    const wide = (element) => element.scrollWidth > element.clientWidth
    const tables = [...document.querySelectorAll('.scroll')].filter(wide)
    return { page: wide(document.documentElement), tables: tables.map((one) => one.innerText.slice(0, 40)) }
  })
  for (const colorScheme of process.env.SCREENSHOTS ? ['light', 'dark'] : []) {
    await page.emulateMedia({ colorScheme })
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/${width}-${colorScheme}.png`, fullPage: true })
  }
}
await browser.close()
console.log(JSON.stringify(found))
